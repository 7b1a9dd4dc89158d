import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TESTED } from "../../shared/src/index.ts";

/** The folder that `npm run compat` has made for another OpenClaw; undefined: the tests run on the pinned one. */
const other = process.env["HOTBAGS_COMPAT"];

/** The file in it that says what it has. */
export const SUBJECT_FILE = "subject.json";

/** What the tests run on. */
export interface Subject {
  readonly openclaw: string;
  readonly whatsapp: string;
  /** Settings of openclaw.json.example that it does not know: `session.notifyOnCreate`. */
  readonly without: readonly string[];
}

export const SUBJECT: Subject =
  other === undefined ? { ...TESTED, without: [] } : JSON.parse(readFileSync(join(other, SUBJECT_FILE), "utf8"));

/** The `openclaw` command of that version. */
export const OPENCLAW =
  other === undefined
    ? fileURLToPath(new URL("../node_modules/openclaw/openclaw.mjs", import.meta.url))
    : join(other, "node_modules", "openclaw", "openclaw.mjs");

/** What is made once per clone, or for another OpenClaw, and kept. */
export const CACHE =
  other === undefined
    ? fileURLToPath(new URL("../../node_modules/.cache/hotbags", import.meta.url))
    : join(other, "cache");

/** Our plugin; for another OpenClaw a copy, which can't find the pinned one beside it. */
export const OUR_PLUGIN =
  other === undefined ? fileURLToPath(new URL("../../plugin", import.meta.url)) : join(other, "plugin");

/** The configuration file of the gateway in this folder. */
export function configPath(root: string): string {
  return join(root, "openclaw.json");
}
