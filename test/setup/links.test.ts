import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { anchorsOf } from "./anchors.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What stands between backquotes is no link, whatever it looks like. */
const CODE = /(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)/gs;

/** A link's target and the heading in it, unless it is on the web. */
const TARGET = /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g;

const PAGES = ["README.md", "test/README.md", "systemd/README.md", "contract/README.md", "docs/**/*.md"];

test.each(globSync(PAGES, { cwd: ROOT }))("every file and every heading that %s links to is there", (page) => {
  const text = readFileSync(join(ROOT, page), "utf8").replaceAll(CODE, "");
  const missing = [...text.matchAll(TARGET)].filter(([, target = "", heading]) => {
    const file = target === "" ? join(ROOT, page) : join(ROOT, dirname(page), target);
    return !existsSync(file) || (heading && !anchorsOf(readFileSync(file, "utf8")).has(heading));
  });
  expect(missing.map(([link]) => link)).toEqual([]);
});

/** Such as `Outbox.put`: a class of ours and one of its methods. */
const METHOD = /`([A-Z][A-Za-z]+)\.([a-z][A-Za-z]+)`/g;

test("every function that docs/design.md names is there", () => {
  const sources = globSync("{plugin,sidecar,shared}/src/**/*.ts", { cwd: ROOT }).map((file) =>
    readFileSync(join(ROOT, file), "utf8"),
  );
  const isThere = (name: string, method: string) =>
    sources.some((text) => text.includes(`class ${name} `) && new RegExp(`^ {2}(async )?${method}\\(`, "m").test(text));
  const named = [...readFileSync(join(ROOT, "docs/design.md"), "utf8").matchAll(METHOD)];
  expect(named.length).toBeGreaterThan(20);
  const missing = named.filter(([, name = "", method = ""]) => !isThere(name, method)).map(([name]) => name);
  expect(missing).toEqual([]);
});

test.each(globSync(["README.md", "docs/**/*.md", "examples/**/*.md", "systemd/*"], { cwd: ROOT }))(
  "%s runs the hotbags command so that Node leaves --env-file to it",
  (page) => {
    const runs = readFileSync(join(ROOT, page), "utf8").match(/\bnode\b[^\n`]* \S*dist\/cli\.js/g) ?? [];
    expect(runs.filter((run) => !/ -- \S+$/.test(run))).toEqual([]);
  },
);
