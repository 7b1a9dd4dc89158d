import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ON_POSTGRES } from "../fleet/on-postgres.ts";

// Of each promise docs/guarantees.md says by which tests it is shown on PostgreSQL, or that it is not. That these tests are run on
// a PostgreSQL, and that none that is run there is left out, is not a matter of belief.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCS = join(ROOT, "docs");

/** Whoever needs one of these starts a PostgreSQL. */
const SERVERS = ["test/setup/postgres.ts", "test/fleet/databases.ts"];

/** What a cell begins with that names no test. */
const OTHERS = ["no store in it", "not shown: ", "not promised: "];

/** Of a module of ours, with and without `type`, over lines. */
const IMPORT = /^(?:import|export)\b(?! type\b)[^;]*?from "(\.[^"]+)"|^import "(\.[^"]+)"|import\("(\.[^"]+)"\)/gm;

/** All that a file needs, itself included. `lazily`: with what it loads only where that is asked for. */
function needs(file: string, { lazily = false } = {}, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(join(ROOT, file), "utf8");
  for (const [, plain, bare, lazy] of text.matchAll(IMPORT)) {
    const to = plain ?? bare ?? (lazily ? lazy : undefined);
    const path = to === undefined ? "" : relative(ROOT, join(ROOT, dirname(file), to));
    if (path.endsWith(".ts") && existsSync(join(ROOT, path))) needs(path, { lazily }, found);
  }
  return found;
}

const isOnPostgres = (file: string) => ON_POSTGRES.includes(file) || SERVERS.some((server) => needs(file).has(server));

const testsIn = (cell: string) =>
  [...cell.matchAll(/\]\((\.\.\/[^)#]+\.(?:test|suite)\.ts)\)/g)].map(([, link = ""]) => {
    return relative(ROOT, join(DOCS, link));
  });

/** The table of promises, by cells; `\|` is a character of a cell. */
function promises() {
  const page = readFileSync(join(DOCS, "guarantees.md"), "utf8");
  const [, table = ""] = /^## Promised$([\s\S]*?)^## /m.exec(page) ?? [];
  const lines = table.split("\n").filter((line) => line.startsWith("|"));
  const rows = lines.map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  expect(rows[0]).toEqual(["", "promise", "through", "shown by", "on PostgreSQL", ""]);
  return rows.slice(2).map(([, promise = "", , shownBy = "", onPostgres = ""]) => ({ promise, shownBy, onPostgres }));
}

test("each promise says by which tests it is shown on PostgreSQL, or why it is not", () => {
  const rows = promises();
  expect(rows.length).toBeGreaterThan(80);
  const unsaid = rows.filter(({ onPostgres }) => {
    return !onPostgres.startsWith("[") && !OTHERS.some((word) => onPostgres.startsWith(word));
  });
  expect(unsaid).toEqual([]);
});

test("each of these tests is run on a PostgreSQL, and each that is run there is named", () => {
  const wrong = promises().flatMap(({ promise, shownBy, onPostgres }) => {
    const named = testsIn(onPostgres);
    return [
      ...named.filter((file) => !isOnPostgres(file)).map((file) => `${file} is not run there: ${promise}`),
      ...testsIn(shownBy)
        .filter((file) => file.endsWith(".test.ts") && isOnPostgres(file) && !named.includes(file))
        .map((file) => `${file} is run there, and not named: ${promise}`),
    ];
  });
  expect(wrong).toEqual([]);
});

test("each test that is run on both stores shows a promise on PostgreSQL", () => {
  const named = new Set(promises().flatMap(({ onPostgres }) => testsIn(onPostgres)));
  expect(ON_POSTGRES.filter((file) => !named.has(file))).toEqual([]);
});

test("what has no store in it is shown by tests without one", () => {
  const wrong = promises()
    .filter(({ onPostgres }) => onPostgres.startsWith("no store in it"))
    .flatMap(({ promise, shownBy }) =>
      testsIn(shownBy)
        .filter((file) => {
          const all = [...needs(file, { lazily: true })];
          return all.some((one) => one.startsWith("sidecar/src/store/") || one === "test/shop/sidecar-process.ts");
        })
        .map((file) => `${file}: ${promise}`),
    );
  expect(wrong).toEqual([]);
});
