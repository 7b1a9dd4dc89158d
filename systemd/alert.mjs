// Run by hotbags-alert@.service: tells the operator that a unit has failed for good, by ALERT_WEBHOOK_URL and ALERT_COMMAND. It is not
// the sidecar's own code, since the sidecar may be what has failed. Ends with 1 when nobody could be told.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

const unit = process.argv[2] ?? "a unit";
const text = `${unit} on ${hostname()} has failed, and systemd does not start it again: only a human can change the reason. It is in: journalctl -u ${unit} -n 50. Until it is started again, customers get no answers.`;
const TIMEOUT_MS = 20_000;

const attempts = [];
const webhook = secret("ALERT_WEBHOOK_URL");
const command = secret("ALERT_COMMAND");
if (webhook) attempts.push(["ALERT_WEBHOOK_URL", post(webhook)]);
if (command) attempts.push(["ALERT_COMMAND", runCommand(command)]);
if (attempts.length === 0) process.stderr.write("hotbags: neither ALERT_WEBHOOK_URL nor ALERT_COMMAND is set\n");
let told = 0;
for (const [name, attempt] of attempts) {
  // The code alone: a message can hold the address.
  const failure = await attempt.then(
    () => null,
    (error) => error.code ?? error.cause?.code ?? error.name,
  );
  if (failure === null) told += 1;
  else process.stderr.write(`hotbags: ${name} failed (${failure})\n`);
}
process.exitCode = told > 0 ? 0 : 1;

/** From the environment, from a file, or from a credential of systemd. */
function secret(name) {
  const folder = process.env.CREDENTIALS_DIRECTORY;
  for (const path of [process.env[`${name}_FILE`], folder && `${folder}/${name}`]) {
    try {
      if (path) return readFileSync(path, "utf8").trim();
    } catch {
      // The next place.
    }
  }
  return process.env[name];
}

async function post(url) {
  const body = JSON.stringify({ text, alert: "unit", unit });
  const options = { method: "POST", headers: { "content-type": "application/json" }, body, redirect: "error" };
  const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!answer.ok) throw Object.assign(new Error("refused"), { code: `the answer was ${answer.status}` });
}

/** The text goes to its standard input: arguments can be read by every user. */
async function runCommand(line) {
  const { PATH, HOME, LANG, TZ } = process.env;
  const env = { PATH, HOME, LANG, TZ };
  const child = spawn("/bin/sh", ["-c", line], { env, stdio: ["pipe", "ignore", "ignore"], timeout: TIMEOUT_MS });
  child.stdin.on("error", () => {});
  child.stdin.end(`${text}\n`);
  const [code] = await once(child, "exit");
  if (code !== 0) throw Object.assign(new Error("failed"), { code: `it ended with ${code ?? "a signal"}` });
}
