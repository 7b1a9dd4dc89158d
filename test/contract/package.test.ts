import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

// @hotbags/contract, as somebody gets it who installs it.

const read = (file: string) => readFileSync(new URL(`../../contract/${file}`, import.meta.url), "utf8");

it("hands out each type that is made, and its README names it", () => {
  const made = [...read("src/generated/types.ts").matchAll(/^export (?:interface|type) (\w+)/gm)].map(
    ([, name]) => name,
  );
  const [, list = ""] = read("src/index.ts").match(/export type \{([^}]+)\} from "\.\/generated\/types\.ts"/) ?? [];
  expect(list.match(/\w+/g)?.toSorted()).toEqual(made.toSorted());
  const [, row = ""] = read("README.md").match(/^\| types (.+?) \|/m) ?? [];
  expect(row.match(/\w+/g)?.toSorted()).toEqual(made.toSorted());
});
