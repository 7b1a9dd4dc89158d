import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const CONTRACT = new URL("../../docs/contract/", import.meta.url);

// test/e2e/one-gateway/kinds.suite.ts compares the examples themselves with what comes through the real gateway.
test("each example is in the contract's table, and each link there has one", async () => {
  const readme = await readFile(new URL("README.md", CONTRACT), "utf8");
  const linked = [...readme.matchAll(/\]\(([\w-]+\.json)\)/g)].map(([, name]) => name);
  const files = (await readdir(CONTRACT)).filter((name) => name.endsWith(".json"));
  expect(linked.sort()).toEqual(files.sort());
});
