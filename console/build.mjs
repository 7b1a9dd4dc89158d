// Builds the owner's page: assets by their hashes, each with what a browser takes compressed beside it. Nothing of it is fetched from
// anywhere else, and nothing stands inline, so that the strictest Content-Security-Policy holds.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, gzip, constants as zlib } from "node:zlib";
import { build } from "vite";

const CONSOLE = fileURLToPath(new URL(".", import.meta.url));

/** Browsers of the last two and a half years: what they all can needs no other form. */
const BROWSERS = ["chrome123", "firefox121", "safari17.5"];

/** Writes the page into the folder, which is emptied before. */
export async function buildConsole(folder) {
  await build({
    root: CONSOLE,
    configFile: false,
    logLevel: "warn",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: BROWSERS,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  });
  await compress(folder);
}

async function compress(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((it) => it.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    const params = { [zlib.BROTLI_PARAM_QUALITY]: 11, [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    await writeFile(`${path}.br`, await promisify(brotliCompress)(bytes, { params }));
    await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }));
  }
}
