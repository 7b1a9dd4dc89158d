import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pluginFolderProblems } from "./plugin-folder.ts";

const US = process.getuid?.() ?? 0;
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-plugin-"));
  mkdirSync(join(dir, "dist"));
  writeFileSync(join(dir, "dist", "index.js"), "");
  chmodSync(dir, 0o755);
  chmodSync(join(dir, "dist", "index.js"), 0o644);
});
afterEach(() => rmSync(dir, { recursive: true }));

it("finds nothing wrong with a folder of the gateway's user", () => {
  expect(pluginFolderProblems(dir, US)).toEqual([]);
});

it("says whose it is where it is another user's, and whose it must be", () => {
  // Root's is good for every gateway, and only root can give a folder away.
  const owner = US === 0 ? 1_234 : US;
  if (US === 0) for (const path of [dir, join(dir, "dist", "index.js")]) chownSync(path, owner, owner);
  const said = `belongs to user ${owner}, so OpenClaw blocks the plugin (suspicious ownership)`;
  const problems = [expect.stringContaining(`${dir} ${said}`), expect.stringContaining(`index.js ${said}`)];
  expect(pluginFolderProblems(dir, owner + 1)).toEqual(problems);
});

it("says what everybody can write", () => {
  chmodSync(dir, 0o777);
  const problem = expect.stringMatching(new RegExp(`^${dir} can be written by every user.*chmod -R o-w ${dir}$`));
  expect(pluginFolderProblems(dir, US)).toEqual([problem]);
});

it("says that the plugin is not built", () => {
  rmSync(join(dir, "dist"), { recursive: true });
  expect(pluginFolderProblems(dir, US)).toEqual([expect.stringMatching(/index\.js is not there: run `npm run build`/)]);
});
