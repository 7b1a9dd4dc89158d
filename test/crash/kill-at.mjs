// Preloaded into a process under test (--import): kills it with SIGKILL exactly at the failpoint that the file named in
// HOTBAGS_CRASH_FILE asks for. A kill empties the file, so that the next run lives.
import { subscribe } from "node:diagnostics_channel";
import { readFileSync, writeFileSync } from "node:fs";
import { StatementSync } from "node:sqlite";

const file = process.env.HOTBAGS_CRASH_FILE;

function at(failpoint) {
  if (readFileSync(file, "utf8") !== failpoint) return;
  writeFileSync(file, "");
  process.kill(process.pid, "SIGKILL");
}

subscribe("hotbags:failpoint", at);

// OpenClaw names no failpoints. This is the one that counts: where it writes down a message that has come in.
for (const method of ["run", "get", "all"]) {
  const execute = StatementSync.prototype[method];
  StatementSync.prototype[method] = function (...values) {
    if (/^insert into "?channel_ingress_events\b/i.test(this.sourceSQL)) at("openclaw:before-write");
    return execute.apply(this, values);
  };
}
