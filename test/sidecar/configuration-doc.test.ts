import { expect, it } from "vitest";
import { drawConfiguration } from "./configuration-doc.ts";

it("docs/configuration.md says what can be set", async () => {
  await expect(drawConfiguration()).toMatchFileSnapshot("../../docs/configuration.md");
});
