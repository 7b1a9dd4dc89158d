// That biome.layout.jsonc forbids what it is meant to: biome lints a small tree in which each file has one import.
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIOME = join(ROOT, "node_modules", ".bin", "biome");
const RULES = ["--only=style/noRestrictedImports", "--only=suspicious/noImportCycles", "--only=plugin"];

/** The paths of the files in which biome finds something forbidden. `tree` is each file's path and text. */
async function refused(tree: Readonly<Record<string, string>>): Promise<string[]> {
  const cwd = await mkdtemp(join(tmpdir(), "hotbags-layout-"));
  onTestFinished(() => rm(cwd, { recursive: true }));
  for (const name of ["biome.json", "biome.layout.jsonc", "plugin/guarded.grit", "test/setup/import-types.grit"]) {
    await mkdir(dirname(join(cwd, name)), { recursive: true });
    await copyFile(join(ROOT, name), join(cwd, name));
  }
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(dirname(join(cwd, path)), { recursive: true });
    await writeFile(join(cwd, path), text);
  }
  const args = ["lint", ...RULES, "--vcs-enabled=false", "--max-diagnostics=none", "--reporter=json"];
  const report = await new Promise<string>((resolve) => execFile(BIOME, args, { cwd }, (_, stdout) => resolve(stdout)));
  const { diagnostics }: { diagnostics: { location: { path: string } }[] } = JSON.parse(report);
  return diagnostics.map(({ location }) => location.path);
}

/** Of imports such as `plugin/src/link/ > plugin/src/intake/copy.ts`, or of a package, those that are refused. */
async function refusedOf(imports: readonly string[]): Promise<string[]> {
  const paths = imports.map((one, n) => `${one.split(" > ")[0]}importer-${n}.ts`);
  const texts = imports.map((one, n) => `export * from ${JSON.stringify(specifier(paths[n] ?? "", one))};\n`);
  const found = new Set(await refused(Object.fromEntries(paths.map((path, n) => [path, texts[n] ?? ""]))));
  return imports.filter((_, n) => found.has(paths[n] ?? ""));
}

function specifier(importer: string, one: string): string {
  const imported = one.split(" > ")[1] ?? "";
  if (!imported.endsWith(".ts")) return imported;
  if (imported.startsWith("./")) return imported;
  const path = relative(dirname(importer), imported);
  return path.startsWith(".") ? path : `./${path}`;
}

/** Every folder with product code, and the folder above the parts of each side. */
async function parts(): Promise<string[]> {
  const all = ["shared/src/"];
  for (const side of ["plugin/src/", "sidecar/src/"]) {
    const entries = await readdir(join(ROOT, side), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== "testing");
    all.push(side, ...folders.map(({ name }) => `${side}${name}/`));
  }
  return all;
}

test("an import against the way of a message is refused", async () => {
  const imports = [
    "plugin/src/capture/ > plugin/src/host/log.ts",
    "plugin/src/capture/ > ./../host/log.ts",
    "sidecar/src/relay/ > ./../replies/pace.ts",
    "sidecar/src/store/ > ./../alerts/notice.ts",
    "plugin/src/host/ > plugin/src/status/status.ts",
    "plugin/src/outbox/ > plugin/src/intake/intake.ts",
    "plugin/src/intake/ > plugin/src/link/link.ts",
    "plugin/src/link/ > plugin/src/intake/copy.ts",
    "plugin/src/link/ > plugin/src/status/status.ts",
    "plugin/src/status/ > plugin/src/bridge.ts",
    "sidecar/src/intake/ > sidecar/src/relay/relay.ts",
    "sidecar/src/listening/ > sidecar/src/intake/listener.ts",
    "sidecar/src/relay/ > sidecar/src/replies/replies.ts",
    "sidecar/src/relay/ > sidecar/src/gateway/index.ts",
    "sidecar/src/replies/ > sidecar/src/relay/relay.ts",
    "sidecar/src/replies/ > sidecar/src/ops/health.ts",
    "sidecar/src/relay/ > sidecar/src/alerts/alerts.ts",
    "sidecar/src/alerts/ > sidecar/src/ops/health.ts",
    "sidecar/src/alerts/ > sidecar/src/relay/relay.ts",
    "sidecar/src/downtime/ > sidecar/src/ops/health.ts",
    "sidecar/src/store/ > sidecar/src/downtime/window.ts",
    "sidecar/src/gateway/ > sidecar/src/store/index.ts",
    "sidecar/src/gateway/ > sidecar/src/commands/index.ts",
    "sidecar/src/commands/ > sidecar/src/relay/outcome.ts",
    "sidecar/src/commands/ > sidecar/src/replies/replies.ts",
    "sidecar/src/relay/ > sidecar/src/commands/send-text.ts",
    "sidecar/src/intake/ > sidecar/src/settings.ts",
    "sidecar/src/relay/ > sidecar/src/settings/schema.ts",
    "sidecar/src/operator/ > sidecar/src/relay/relay.ts",
    "sidecar/src/operator/answers/ > sidecar/src/relay/relay.ts",
    "sidecar/src/store/sqlite/operator/ > sidecar/src/alerts/notice.ts",
    "sidecar/src/store/ > sidecar/src/store/sqlite/messages.ts",
    "sidecar/src/store/ > sidecar/src/store/postgres/messages.ts",
    "sidecar/src/store/sqlite/ > sidecar/src/store/postgres/messages.ts",
    "sidecar/src/store/postgres/ > sidecar/src/store/sqlite/messages.ts",
    "sidecar/src/store/postgres/moving/ > sidecar/src/store/sqlite/messages.ts",
    "sidecar/src/moving/ > sidecar/src/store/sqlite/database.ts",
    "sidecar/src/store/sqlite/ > sidecar/src/store/index.ts",
    "sidecar/src/store/sqlite/operator/ > sidecar/src/store/postgres/messages.ts",
    "sidecar/src/store/postgres/migrations/ > sidecar/src/store/sqlite/database.ts",
    "sidecar/src/operator/ > sidecar/src/console/console.ts",
    "sidecar/src/console/ > sidecar/src/relay/relay.ts",
    "sidecar/src/backup/ > sidecar/src/cli/connect.ts",
    "sidecar/src/moving/ > sidecar/src/alerts/table.ts",
    "sidecar/src/ops/ > sidecar/src/sidecar.ts",
    "sidecar/src/ops/ > sidecar/src/metrics/metrics.ts",
    "sidecar/src/relay/ > sidecar/src/metrics/flow.ts",
    "sidecar/src/metrics/ > sidecar/src/operator/api.ts",
    "sidecar/src/metrics/ > sidecar/src/figures/recorder.ts",
    "sidecar/src/figures/ > sidecar/src/metrics/flow.ts",
    "sidecar/src/figures/ > sidecar/src/store/figures.ts",
    "sidecar/src/ops/ > sidecar/src/doctor/check.ts",
    "sidecar/src/doctor/ > sidecar/src/cli/output.ts",
    "sidecar/src/doctor/ > sidecar/src/store/sqlite/database.ts",
    "sidecar/src/contract/mock/ > sidecar/src/relay/outcome.ts",
    "sidecar/src/contract/check/ > sidecar/src/store/index.ts",
    "sidecar/src/relay/ > sidecar/src/contract/mock/mock.ts",
    "console/src/api/ > sidecar/src/operator/api.ts",
    "console/src/ > sidecar/src/alerts/table.ts",
    "contract/src/ > shared/src/index.ts",
    "contract/src/ > zod",
    "contract/src/ > node:crypto",
  ];
  expect(await refusedOf(imports)).toEqual(imports);
});

test("a part with SQL is entered by its index.ts, and nobody else has SQL", async () => {
  const imports = [
    "sidecar/src/relay/ > sidecar/src/store/messages.ts",
    "sidecar/src/ops/ > sidecar/src/store/sqlite/database.ts",
    "sidecar/src/ > sidecar/src/store/sqlite/database.ts",
    "sidecar/src/cli/ > sidecar/src/store/sqlite/database.ts",
    "sidecar/src/settings/ > sidecar/src/store/sqlite/database.ts",
    "sidecar/src/replies/ > better-sqlite3",
    "sidecar/src/ops/ > better-sqlite3",
    "sidecar/src/store/ > better-sqlite3",
    "sidecar/src/relay/ > node:sqlite",
    "sidecar/src/ > node:sqlite",
    "sidecar/src/ > better-sqlite3",
    "plugin/src/status/ > node:sqlite",
    "plugin/src/ > node:sqlite",
  ];
  expect(await refusedOf(imports)).toEqual(imports);
});

test("a file that several parts use is no way from one into another", async () => {
  const path = "sidecar/src/store-faults.ts";
  expect(await refused({ [path]: 'export * from "./replies/pace.ts";\n' })).toEqual([path]);
  expect(await refused({ [path]: 'export * from "./store/index.ts";\n' })).toEqual([]);
});

test("a type is imported in the open, where the rules see it", async () => {
  const path = "sidecar/src/relay/a.ts";
  expect(await refused({ [path]: 'export type A = import("../replies/pace.ts").Pace;\n' })).toEqual([path]);
});

test("no part, a new one neither, imports a test's code or another package's by its path", async () => {
  const strangers = ["test/until.ts", "plugin/src/testing/until.ts", "sidecar/src/lanes.ts", "shared/src/index.ts"];
  const imports = (await parts()).flatMap((part) =>
    strangers
      .filter((stranger) => !stranger.startsWith(part.slice(0, part.indexOf("/"))) || stranger.includes("/testing/"))
      .map((stranger) => `${part} > ${stranger}`),
  );
  expect(await refusedOf(imports)).toEqual(imports);
});

test("what leads along the way is allowed", async () => {
  const imports = [
    "plugin/src/ > plugin/src/link/link.ts",
    "plugin/src/intake/ > plugin/src/outbox/outbox.ts",
    "plugin/src/link/ > plugin/src/outbox/outbox.ts",
    "plugin/src/outbox/ > plugin/src/capture/capture.ts",
    "plugin/src/outbox/ > node:sqlite",
    "plugin/src/status/ > plugin/src/link/connection.ts",
    "sidecar/src/ > sidecar/src/relay/relay.ts",
    "sidecar/src/relay/ > sidecar/src/store/index.ts",
    "sidecar/src/replies/ > sidecar/src/gateway/index.ts",
    "sidecar/src/replies/ > sidecar/src/commands/index.ts",
    "sidecar/src/commands/ > sidecar/src/gateway/index.ts",
    "sidecar/src/relay/ > sidecar/src/commands/index.ts",
    "sidecar/src/store/sqlite/ > better-sqlite3",
    "sidecar/src/store/sqlite/ > sidecar/src/store/messages.ts",
    "sidecar/src/store/sqlite/ > sidecar/src/clock.ts",
    "sidecar/src/store/sqlite/operator/ > sidecar/src/store/operator.ts",
    "sidecar/src/store/postgres/ > sidecar/src/store/messages.ts",
    "sidecar/src/store/postgres/moving/ > sidecar/src/store/postgres/migrations/index.ts",
    "sidecar/src/moving/ > sidecar/src/store/index.ts",
    "sidecar/src/ops/ > sidecar/src/intake/plugin-connection.ts",
    "sidecar/src/doctor/ > sidecar/src/relay/rules.ts",
    "sidecar/src/ > sidecar/src/doctor/diagnose.ts",
    "sidecar/src/downtime/ > sidecar/src/alerts/alerts.ts",
    "sidecar/src/ops/ > sidecar/src/alerts/alerts.ts",
    "sidecar/src/ops/ > sidecar/src/checks/last-backup.ts",
    "sidecar/src/metrics/ > sidecar/src/ops/health.ts",
    "sidecar/src/figures/ > sidecar/src/store/index.ts",
    "sidecar/src/ > sidecar/src/metrics/metrics.ts",
    "sidecar/src/store/ > sidecar/src/clock.ts",
    "sidecar/src/contract/check/ > sidecar/src/relay/outcome.ts",
    "console/src/api/ > sidecar/src/operator/schemas.ts",
    "console/src/views/ > console/src/api/client.ts",
    "contract/src/ > contract/src/generated/types.ts",
    "test/model/ > sidecar/src/store/sqlite/database.ts",
  ];
  expect(await refusedOf(imports)).toEqual([]);
});

test("a circle is refused, one of types alone too, in tests as well", async () => {
  const tree = {
    "plugin/src/link/a.ts": 'import { b } from "./b.ts";\nexport const a = b;\n',
    "plugin/src/link/b.ts": 'import type { a } from "./a.ts";\nexport const b = 1;\nexport type A = typeof a;\n',
    "test/shop/c.ts": 'export type { D } from "./d.ts";\nexport type C = 1;\n',
    "test/shop/d.ts": 'import type { C } from "./c.ts";\nexport type D = C;\n',
    "test/shop/e.ts": 'export type { D } from "./d.ts";\n',
  };
  expect((await refused(tree)).toSorted()).toEqual(Object.keys(tree).filter((path) => !path.endsWith("e.ts")));
});
