// Run by openclaw-gateway.service before the gateway starts, as its user: says in the journal why OpenClaw will not load the plugin
// from this folder. It never keeps the gateway from starting.
import { readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pluginFolderProblems } from "../sidecar/dist/checks/plugin-folder.js";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "plugin");
const stateDir = process.env["OPENCLAW_STATE_DIR"] || join(homedir(), ".openclaw");
const config = process.env["OPENCLAW_CONFIG_PATH"] || join(stateDir, "openclaw.json");

// Installed from its tarball it lies elsewhere, and this folder is of no interest to OpenClaw.
const text = readFileSync(config, "utf8");
if ([folder, realpathSync(folder)].some((path) => text.includes(path)))
  for (const problem of pluginFolderProblems(folder, process.getuid())) process.stderr.write(`hotbags: ${problem}\n`);
