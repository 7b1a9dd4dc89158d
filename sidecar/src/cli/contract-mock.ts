import { once } from "node:events";
import { readFileSync, statSync, unwatchFile, watchFile } from "node:fs";
import { codeOf, EVENTS_PATH, INBOUND_PATH, REPORTS_PATH, shownId } from "@hotbags/shared";
import { type Mock, type MockEvent, startMock } from "../contract/mock/mock.ts";
import { servePage } from "../contract/mock/page.ts";
import { applyRules, ECHO, MAX_RULES_BYTES, RulesError } from "../contract/mock/rules.ts";
import { readMockSecrets, type Sources } from "./contract-settings.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { count, type Output, say } from "./output.ts";

/** So much of what came is kept for the page. */
const KEPT = 200;

/** How often it is looked whether the file of rules is another one, ms. */
const LOOK_MS = 300;

/** `hotbags contract mock`: a Hot Bags on this machine, until SIGINT or SIGTERM. */
export async function runMock(sources: Sources, options: { port: number; rules?: string | undefined }, output: Output) {
  const { token, hmacSecret, webhookSecret } = readMockSecrets(sources);
  const { rules: path } = options;
  const rules = path === undefined ? ECHO : readRulesFile(path);
  const told = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => told.abort());
  const signed = {
    ...(hmacSecret === null ? {} : { hmacSecret }),
    ...(webhookSecret === null ? {} : { webhookSecret }),
  };
  const mock = await start({ port: options.port, keep: KEPT, token, ...signed });
  try {
    applyRules(mock, rules);
    if (path !== undefined) watchFile(path, { interval: LOOK_MS }, () => readAnew(mock, path, output));
    mock.answersOthers((request, response) => servePage(mock, request, response));
    mock.onEvent((event) => tell(event, output));
    say(
      output,
      `A stand-in for Hot Bags: HOTBAGS_BASE_URL=${mock.url} (messages at ${INBOUND_PATH}, reports and events at ${REPORTS_PATH} and ${EVENTS_PATH}).`,
    );
    say(
      output,
      `It takes ${token === null ? "any token" : "HOTBAGS_BEARER_TOKEN"}${Object.keys(signed).length === 0 ? "" : ", and signed bodies only"}.`,
    );
    say(output, `What came is shown at ${mock.url}/ and forgotten when it ends.`);
    if (!told.signal.aborted) await once(told.signal, "abort");
    return EXIT.ok;
  } catch (error) {
    if (error instanceof RulesError) throw new CliError(EXIT.usage, `${path ?? "rules"}: ${error.message}`);
    throw error;
  } finally {
    if (path !== undefined) unwatchFile(path);
    await mock.close();
  }
}

async function start(options: Parameters<typeof startMock>[0]): Promise<Mock> {
  try {
    return await startMock(options);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "EADDRINUSE" && code !== "EACCES") throw error;
    throw new CliError(EXIT.usage, `port ${options.port} can't be had (${code}): say another one with --port`);
  }
}

/** Whoever develops writes rules while it runs, half of them at times. */
function readAnew(mock: Mock, path: string, output: Output): void {
  try {
    applyRules(mock, readRulesFile(path));
    say(output, `${path} was read again. A message that was answered already gets that answer again.`);
  } catch (error) {
    if (!(error instanceof RulesError || error instanceof CliError)) throw error;
    const what = error instanceof RulesError ? `${path}: ${error.message}` : error.message;
    say(output, `${what}. The former ones stay in use.`);
  }
}

function readRulesFile(path: string): string {
  try {
    if (statSync(path).size > MAX_RULES_BYTES)
      throw new CliError(EXIT.usage, `${path} has more than ${MAX_RULES_BYTES} bytes`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(EXIT.usage, `${path} can't be read (${codeOf(error) || String(error)})`);
  }
}

/** A line for each delivery report, when it comes first. */
function tellReport({ at, report }: Extract<MockEvent, { type: "reported" }>, output: Output): void {
  const { report_id, command_id, state, outcome } = report;
  const line = { at: new Date(at).toISOString(), report_id, command_id: shownId(command_id), state, outcome };
  if (output.json) output.out.write(`${JSON.stringify(line)}\n`);
  else output.out.write(`${line.at}  report  ${line.command_id}  ${state}${outcome === null ? "" : `: ${outcome}`}\n`);
}

/** And for each event of the bridge. */
function tellHappening({ at, event }: Extract<MockEvent, { type: "happened" }>, output: Output): void {
  const { event_id, type, transport_session_id } = event;
  const line = { at: new Date(at).toISOString(), event_id, event: type, transport_session_id };
  if (output.json) output.out.write(`${JSON.stringify(line)}\n`);
  else output.out.write(`${line.at}  event  ${type}  ${transport_session_id}\n`);
}

/** A line for each request: no text, nor a number; those are on the page. */
function tell(event: MockEvent, output: Output): void {
  if (event.type === "reported") return tellReport(event, output);
  if (event.type === "happened") return tellHappening(event, output);
  if (event.type !== "answered") return;
  const { attempt } = event;
  const { key, status, duplicate, fault, violations, at } = attempt;
  const line = {
    at: new Date(at).toISOString(),
    message_id: key === undefined ? null : shownId(key),
    status: status ?? null,
    duplicate,
    fault: fault !== undefined,
    violations: violations.length,
  };
  if (output.json) output.out.write(`${JSON.stringify(line)}\n`);
  else
    output.out.write(
      `${line.at}  ${line.status ?? "no answer"}  ${line.message_id ?? "no key"}${duplicate ? "  again" : ""}${line.fault ? "  (fault)" : ""}${line.violations > 0 ? `  ${count(line.violations, "breach", "breaches")} of the contract, see the page` : ""}\n`,
    );
}
