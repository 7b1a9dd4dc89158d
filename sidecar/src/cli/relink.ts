import { setTimeout as after } from "node:timers/promises";
import { howToLink } from "../gateway/index.ts";
import type { Account } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { readDuration } from "./list-options.ts";
import { type Output, say, writeJson } from "./output.ts";
import { drawCode, modulesOf } from "./qr.ts";

/** How often it is looked whether the account is connected, ms. The sidecar asks the gateway every 3 s. */
const LOOK_MS = 1_000;

/** A gateway that is busy says nothing for so long, ms. */
const KNOWN_MS = 30_000;

/** A phone has to scan a code for these, and nothing else helps. */
const NEEDS_CODE = new Set(["logged_out", "not_linked"]);

const HOW = "on the shop's phone: WhatsApp, Linked devices, Link a device";

interface RelinkOptions {
  /** Undefined: the one that needs it. */
  account: string | undefined;
  qr: boolean;
  /** How long it is waited for the phone. */
  for: string;
}

/** `hotbags relink`: has a WhatsApp account linked again, and waits until it is connected. */
export async function relink(operator: Operator, options: RelinkOptions, output: Output): Promise<number> {
  const ms = readDuration(options.for);
  const account = chosen(await knownAccounts(operator), options.account);
  if (account === null) {
    say(output, "No account needs it: each is linked to a phone.");
    if (output.json) writeJson(output, { account_id: null, connected: true });
    return EXIT.ok;
  }
  const { account_id, sentence } = account;
  say(output, `Account ${account_id}: ${sentence}`);
  const deadline = performance.now() + ms;
  if (options.qr) await scanHere(operator, account_id, deadline, output);
  else {
    const command = howToLink(account_id);
    say(output, `As the gateway's user, on its machine:\n\n    ${command}\n\nand scan the code that it shows, ${HOW}.`);
    say(output, "`hotbags relink --qr` shows it here.");
  }
  say(output, "Waiting until it is connected …");
  while (!(await isConnected(operator, account_id))) {
    if (performance.now() > deadline)
      throw new CliError(EXIT.no, `account ${account_id} was not connected within ${options.for}`);
    await after(LOOK_MS);
  }
  say(output, `Account ${account_id} is connected. What waited for it goes out now.`);
  if (output.json) writeJson(output, { account_id, connected: true });
  return EXIT.ok;
}

/** Once the gateway has said how they are: for a moment it may not. Throws CliError. */
async function knownAccounts(operator: Operator): Promise<Account[]> {
  const deadline = performance.now() + KNOWN_MS;
  for (;;) {
    const { accounts, problem } = await operator.ask("accounts", {});
    const isKnown = problem === null && accounts.every(({ state }) => state !== "unknown");
    if (isKnown) return accounts;
    if (performance.now() > deadline)
      throw new CliError(EXIT.unreachable, problem ?? "the gateway does not say how its accounts are: hotbags doctor");
    await after(LOOK_MS);
  }
}

async function isConnected(operator: Operator, id: string): Promise<boolean> {
  // A gateway that is restarted meanwhile is no reason to give up.
  const { accounts } = await operator.ask("accounts", {});
  return accounts.some(({ account_id, state }) => account_id === id && state === "connected");
}

/** Null: none needs it. Throws CliError. */
function chosen(accounts: Account[], wanted: string | undefined): Account | null {
  if (wanted !== undefined) {
    const account = accounts.find(({ account_id }) => account_id === wanted);
    const all = accounts.map(({ account_id }) => account_id).join(", ");
    if (!account) throw new CliError(EXIT.no, `OpenClaw has no account ${JSON.stringify(wanted)}: it has ${all}`);
    if (account.state === "connected")
      throw new CliError(
        EXIT.no,
        `account ${wanted} is connected; to link another phone, first remove it there from the linked devices`,
      );
    return account;
  }
  const [first, ...others] = accounts.filter(({ state }) => NEEDS_CODE.has(state));
  if (others.length === 0) return first ?? null;
  const names = accounts.filter(({ state }) => NEEDS_CODE.has(state)).map(({ account_id }) => account_id);
  throw new CliError(EXIT.usage, `several accounts need it, say which: ${names.join(", ")}`);
}

/** Shows each code that WhatsApp gives until one is scanned. Throws CliError. */
async function scanHere(operator: Operator, account_id: string, deadline: number, output: Output): Promise<void> {
  let qr: string | null = null;
  while (performance.now() < deadline) {
    const step: Awaited<ReturnType<typeof next>> = await next(operator, account_id, qr);
    if (step.state === "connected") return;
    if (step.state === "failed") {
      // WhatsApp gives a handful of codes, and then none until it is asked anew.
      if (qr === null) throw new CliError(EXIT.no, `there is no code: ${step.reason}`);
      say(output, `${step.reason} Another code is asked for …`);
      qr = null;
    } else if (step.qr !== null) {
      qr = step.qr;
      output.err.write(`\n${drawCode(modulesOf(qr), output.err.isTTY)}\n`);
      say(output, `Scan it ${HOW}. It changes within a minute.`);
    }
  }
  throw new CliError(EXIT.no, "nobody has scanned a code in this time");
}

function next(operator: Operator, account_id: string, qr: string | null) {
  return qr === null ? operator.ask("startLogin", { account_id }) : operator.ask("waitLogin", { account_id, qr });
}
