import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { drawAlerts } from "./alert-table.ts";

const DOCS = new URL("../../docs/alerts.md", import.meta.url);

it("the table in docs/alerts.md is what the code does", () => {
  const table = drawAlerts();
  const isThere = readFileSync(DOCS, "utf8").includes(table);
  if (!isThere) console.log(table);
  expect(isThere).toBe(true);
});
