import { expect, it } from "vitest";
import { drawOperatorApi } from "./operator-api-doc.ts";

it("docs/operator-api.md says what is asked and answered", async () => {
  await expect(drawOperatorApi()).toMatchFileSnapshot("../../docs/operator-api.md");
});
