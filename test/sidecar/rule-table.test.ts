import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { drawConsequences, drawRules } from "./rule-table.ts";

const CONTRACT = new URL("../../docs/contract/README.md", import.meta.url);

it.each([
  ["rules", drawRules],
  ["consequences", drawConsequences],
])("the table of %s in docs/contract is what the code does", (_which, draw) => {
  const table = draw();
  if (!readFileSync(CONTRACT, "utf8").includes(table)) console.log(table);
  expect(readFileSync(CONTRACT, "utf8")).toContain(table);
});
