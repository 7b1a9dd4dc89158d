import { writeFileSync } from "node:fs";
import { codeOf } from "@hotbags/shared";
import { toJunit } from "../contract/check/junit.ts";
import { type Checked, checkContract, type Report } from "../contract/check/run.ts";
import { readBackend, type Sources } from "./contract-settings.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { count, duration, green, type Output, plain, red, say, wrap, writeJson, writeText } from "./output.ts";

export interface CheckCommand {
  slowMs: number;
  junit?: string | undefined;
}

/** `hotbags contract check`: says what holds. Resolves with EXIT.no where something does not. */
export async function checkBackend(sources: Sources, { slowMs, junit }: CheckCommand, output: Output): Promise<number> {
  const target = readBackend(sources);
  const onChecked = output.json ? {} : { onChecked: (checked: Checked) => draw(checked, output) };
  say(output, `Checks ${target.url.origin}${target.url.pathname} with messages of a test chat.`);
  // Now: after all those messages it would be late to hear that there is no such folder.
  if (junit !== undefined) writeReport(junit, "");
  const report = await checkContract(target, { slowMs, ...onChecked });
  if (junit !== undefined) writeReport(junit, toJunit(report));
  if (output.json) writeJson(output, report);
  else summarize(report, output);
  return report.checks.some(({ status }) => status === "failed") ? EXIT.no : EXIT.ok;
}

function draw({ status, name, seen, todo, isBlocked }: Checked, { out }: Output): void {
  // A line for each would bury what is wrong.
  if (isBlocked) return;
  const indent = "skipped  ".length;
  const mark = { passed: green("passed ", out), failed: red("FAILED ", out), skipped: "skipped" }[status];
  out.write(`${mark}  ${wrap(`${name}: ${plain(seen)}`, out, indent)}\n`);
  if (todo !== null) out.write(`${" ".repeat(indent)}${wrap(`to do: ${plain(todo)}`, out, indent)}\n`);
}

function summarize({ checks, leftBehind }: Report, output: Output): void {
  const of = (status: Checked["status"]) => checks.filter((check) => check.status === status).length;
  const took = duration(checks.reduce((sum, { durationMs }) => sum + durationMs, 0));
  const blocked = checks.filter(({ isBlocked }) => isBlocked).length;
  const skipped = of("skipped") - blocked;
  const words = [
    ...[`${of("passed")} passed`, `${of("failed")} failed`],
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    blocked > 0 ? `${blocked} can't be told before that is mended` : `in ${took}`,
  ];
  writeText(output, `\n${words.join(", ")}.`);
  const { messages, perhaps, keysBegin, chats } = leftBehind;
  if (messages + perhaps === 0) return;
  const untold = perhaps === 0 ? "" : `, and perhaps ${perhaps} more that got no answer or a 5xx`;
  writeText(
    output,
    `It left ${count(messages, "message")} behind${untold}, of nobody: message_id begins with ${keysBegin}, chat_id is ${chats.join(" or ")}. What it answered was sent to nobody.`,
  );
}

function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new CliError(EXIT.usage, `${path} can't be written (${codeOf(error) || String(error)})`);
  }
}
