import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What stands between backquotes is no link, whatever it looks like. */
const CODE = /(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)/gs;

/** A link's target without its `#…`, unless it is on the web. */
const TARGET = /\]\((?!https?:)([^)#\s]+)/g;

test.each(globSync(["README.md", "docs/**/*.md"], { cwd: ROOT }))("every file that %s links to is there", (page) => {
  const text = readFileSync(join(ROOT, page), "utf8").replaceAll(CODE, "");
  const targets = [...text.matchAll(TARGET)].map(([, target = ""]) => target);
  expect(targets.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([]);
});
