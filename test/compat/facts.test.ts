import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { FACTS } from "./facts.ts";
import { judge, type Result } from "./judge.ts";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

it.each(FACTS)("$said: docs/limits.md has it, and its tests are there", ({ said, file, tests }) => {
  expect(read("../../docs/limits.md")).toContain(said);
  for (const name of tests) expect(read(`../${file}`)).toContain(name);
});

const [FACT = { said: "", file: "", tests: [] }] = FACTS;
const results = (...statuses: Result["status"][]): Result[] =>
  statuses.map((status, n) => ({
    name: `drops … ${FACT.tests[n] ?? FACT.tests[0]}`,
    status,
    message: "expected 1\nat",
  }));

it.each([
  ["holds where all of its tests pass", results("passed", "passed"), { verdict: "held", why: null }],
  ["has changed where one fails", results("passed", "failed"), { verdict: "changed", why: "expected 1" }],
  ["was not looked at where one was not run", results("passed", "skipped"), { verdict: "not run", why: null }],
  ["was not looked at where there was none", results("passed"), { verdict: "not run", why: null }],
])("a fact %s", (_, found, verdict) => {
  expect(judge([FACT], found)).toEqual([{ ...verdict, said: FACT.said }]);
});
