import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Migration } from "../../sidecar/src/store/postgres/migrations/index.ts";
import { CLI } from "../shop/hotbags-command.ts";

/** As esbuild writes it: the list of migrations, up to its end. */
const LIST = /(\/\/ src\/store\/postgres\/migrations\/index\.ts\nvar migrations = \[[^\]]*?),?\s*\];/g;

export interface Release extends Disposable {
  /** Its command. */
  cli: string;
}

/** The built sidecar as the next release would have it, with these migrations behind its own. */
export function newerRelease(...migrations: readonly Migration[]): Release {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-release-"));
  const sidecar = join(dirname(CLI), "..");
  cpSync(join(sidecar, "dist"), join(dir, "dist"), { recursive: true });
  cpSync(join(sidecar, "package.json"), join(dir, "package.json"));
  symlinkSync(join(sidecar, "node_modules"), join(dir, "node_modules"));
  const chunks = join(dir, "dist", "chunks");
  let lists = 0;
  for (const name of readdirSync(chunks).filter((one) => one.endsWith(".js"))) {
    const text = readFileSync(join(chunks, name), "utf8");
    const more = migrations.map((one) => JSON.stringify(one)).join(", ");
    const changed = text.replaceAll(LIST, (_, list: string) => {
      lists += 1;
      return `${list}, ${more}];`;
    });
    if (changed !== text) writeFileSync(join(chunks, name), changed);
  }
  if (lists !== 1) throw new Error(`the built sidecar has ${lists} lists of migrations, and not one`);
  return { cli: join(dir, "dist", "cli.js"), [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}
