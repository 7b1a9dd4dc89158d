import { readFileSync, statSync } from "node:fs";
import { examples } from "@hotbags/contract";
import { codeOf, describeIssues, type RequestBody, requestBody } from "@hotbags/shared";
import { FileLostError, readStoredFile } from "../store/index.ts";
import type { Operator } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { numberOfMessage } from "./messages.ts";

/** Larger than any body, bytes: a wrong path may lead to anything. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Whom to ask for a message that was recorded, only where one is wanted. */
export type Recorded = { connect(): Promise<Operator>; stateDir: string };

/** A message by the path of a file, the name of an example, or the id that the sidecar has it by. Throws CliError. */
export async function findMessage(what: string, recorded: Recorded): Promise<RequestBody> {
  const example = Object.entries(examples).find(([name]) => name === what)?.[1];
  if (example) return requestBody.parse(example);
  if (/[./]/.test(what)) return readMessageFile(what);
  try {
    return await readRecorded(what, recorded);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const names = Object.keys(examples).join(", ");
    const noExample = `${JSON.stringify(what)} is the name of no example: there are ${names}`;
    throw new CliError(error.code, `${noExample}. As the id of a message it says nothing either: ${error.message}`);
  }
}

function readMessageFile(path: string): RequestBody {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) throw new CliError(EXIT.usage, `${path} is larger than any message`);
    return valid(JSON.parse(readFileSync(path, "utf8")), path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const why = error instanceof SyntaxError ? "it is not JSON" : codeOf(error) || String(error);
    throw new CliError(EXIT.usage, `${path} can't be read: ${why}`);
  }
}

/** As it was POSTed, with its files. The sidecar notes in its audit that somebody looked. Throws CliError. */
export async function readRecorded(id: string, { connect, stateDir }: Recorded): Promise<RequestBody> {
  const operator = await connect();
  try {
    const found = await operator.ask("message", { content: "true" }, await numberOfMessage(operator, id));
    if (!found.request) throw new CliError(EXIT.no, `what message ${id} said is forgotten`);
    const message = valid(found.request, `message ${id}`);
    for (const item of message.media) {
      if (item.data_base64 !== "" || item.sha256 === null || item.size_bytes === null) continue;
      const bytes = await readStoredFile(stateDir, item.sha256, item.size_bytes);
      item.data_base64 = bytes.toString("base64");
    }
    return message;
  } catch (error) {
    if (!(error instanceof FileLostError)) throw error;
    throw new CliError(EXIT.no, `a file of message ${id} can't be read any more: ${error.message}`);
  } finally {
    operator.close();
  }
}

function valid(value: unknown, what: string): RequestBody {
  const parsed = requestBody.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CliError(EXIT.usage, `${what} is no message of the contract: ${describeIssues(parsed.error)}`);
}
