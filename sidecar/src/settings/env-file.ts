import { readFileSync, statSync } from "node:fs";
import { parseEnv } from "node:util";
import { SecretFileError, whyExposed, whyNoFile, whyUnread } from "../checks/secret-files.ts";
import { SETTING_NAMES, SETTINGS, settingOf } from "./schema.ts";

/** More than any has, bytes. A wrong path may lead to something endless. */
const MAX_BYTES = 64 * 1024;

/** Names that begin so are the sidecar's: one that it does not know is a mistake. */
const OURS = /^(HOTBAGS|BRIDGE|ALERT)_/;

/** A value without quotes around it, and a # in it: all from there on would be a comment. */
const CUT = /^\s*(?:export\s+)?(\w+)\s*=\s*(?!["'`\s])[^#\n]*[^#\s]#/gm;

/** What `--env-file` names. */
export interface EnvFile {
  path: string;
  variables: Readonly<Record<string, string>>;
  /** Those that are no settings: for the environment, as with Node's own. */
  others: Readonly<Record<string, string>>;
  /** Why it won't do: a sentence each, that begins with the variable or the path. No value is in them. */
  mistakes: string[];
}

/** Reads a file of `NAME=value` lines as Node's own `--env-file` does. Never throws. */
export function readEnvFile(path: string): EnvFile {
  try {
    const noFile = whyNoFile(path);
    if (noFile) throw new SecretFileError(noFile);
    if (statSync(path).size > MAX_BYTES) throw new SecretFileError(`it has more than ${MAX_BYTES} bytes`);
    const text = readFileSync(path, "utf8");
    const variables = parseEnv(text) as Record<string, string>;
    const others = Object.fromEntries(Object.entries(variables).filter(([name]) => !isKnown(name)));
    return { path, variables, others, mistakes: mistakesIn(path, text, variables) };
  } catch (error) {
    const why = error instanceof SecretFileError ? error.message : whyUnread(error);
    const help = why === "EACCES" ? " (let the sidecar's user read it: chown root:hotbags, chmod 640)" : "";
    return { path, variables: {}, others: {}, mistakes: [`--env-file: ${path} can't be used: ${why}${help}`] };
  }
}

function mistakesIn(path: string, text: string, variables: Readonly<Record<string, string>>): string[] {
  const mistakes: string[] = [];
  const exposed = SETTING_NAMES.some((name) => settingOf(name).secret && variables[name]) ? whyExposed(path) : null;
  if (exposed) mistakes.push(`--env-file: ${exposed}`);
  for (const name of Object.keys(variables))
    if (OURS.test(name) && !isKnown(name)) mistakes.push(`${name}: is no setting (in ${path})`);
  for (const [, name = ""] of text.matchAll(CUT))
    if (isKnown(name)) mistakes.push(`${name}: has a # in it, which begins a comment: put the value in quotes`);
  return mistakes;
}

function isKnown(name: string): boolean {
  if (Object.hasOwn(SETTINGS, name)) return true;
  const of = SETTING_NAMES.find((setting) => name === `${setting}_FILE`);
  return of !== undefined && settingOf(of).secret === true;
}
