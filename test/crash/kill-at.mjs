// Preloaded into a process under test (--import): kills it with SIGKILL exactly at the step that the file named in HOTBAGS_CRASH_FILE asks for.
// A kill empties the file, so that the next run lives.
import { subscribe } from "node:diagnostics_channel";
import { readFileSync, writeFileSync } from "node:fs";

const file = process.env.HOTBAGS_CRASH_FILE;

subscribe("hotbags:step", (name) => {
  if (readFileSync(file, "utf8") !== name) return;
  writeFileSync(file, "");
  process.kill(process.pid, "SIGKILL");
});
