import { pino } from "pino";
import { inspectDatabase } from "../doctor/database.ts";
import { inspectDatabaseServer } from "../doctor/database-server.ts";
import { diagnose } from "../doctor/diagnose.ts";
import { type Finding, fail, skipped } from "../doctor/finding.ts";
import { openSubject } from "../doctor/subject.ts";
import { type Gateway, openGateway } from "../gateway/index.ts";
import type { NamedFinding } from "../operator/schemas.ts";
import { readDatabase, readStateDir, SettingsError, surveySettings } from "../settings.ts";
import { storeLeftBehind } from "../store/index.ts";
import { connectSidecar } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { count, green, type Output, plain, red, wrap, writeJson, yellow } from "./output.ts";

interface DoctorOptions {
  environment: NodeJS.ProcessEnv;
  envFile: string | undefined;
  /** Undefined: as the settings say. */
  stateDir: string | undefined;
  testAlert: boolean;
}

/** `hotbags doctor`: is everything set up? */
export async function doctor(options: DoctorOptions, output: Output): Promise<number> {
  const stateDir = options.stateDir ?? folderOf(options);
  const database = lookAtDatabase(options, stateDir);
  const findings = await findingsOf(options, stateDir);
  findings.push(...(await database).map((finding) => ({ check: "database", ...finding })));
  if (output.json) writeJson(output, findings);
  else draw(findings, output);
  return findings.some(({ level }) => level === "fail") ? EXIT.no : EXIT.ok;
}

/** That of BRIDGE_STORE, or the one in the folder. */
async function lookAtDatabase({ environment, envFile }: DoctorOptions, stateDir: string): Promise<Finding[]> {
  try {
    const url = readDatabase(environment, envFile);
    if (url === null) return await inspectDatabase(stateDir);
    const leftBehind = storeLeftBehind(stateDir);
    const ofServer = await inspectDatabaseServer(url, stateDir);
    return leftBehind === null ? ofServer : [...ofServer, fail(leftBehind.why, leftBehind.advice)];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return [skipped("which one it is can't be read, see the settings")];
  }
}

/** What is wrong with the env file is a finding, and no reason to look at nothing. */
function folderOf({ environment, envFile }: DoctorOptions): string {
  try {
    return readStateDir(environment, envFile);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return readStateDir(environment);
  }
}

/** By the sidecar that runs, as it knows its settings and has its connections; where none does, by this process. */
async function findingsOf(options: DoctorOptions, stateDir: string): Promise<NamedFinding[]> {
  const { testAlert } = options;
  const strange: NamedFinding[] = [];
  try {
    const sidecar = await connectSidecar(stateDir);
    if (sidecar) return (await sidecar.ask("diagnose", { test_alert: testAlert })).findings;
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== EXIT.unreachable) throw error;
    strange.push({ check: "sidecar", ...fail(error.message, "what follows is what this command sees itself") });
  }
  return [...strange, ...(await lookAlone(options, stateDir, strange.length > 0))];
}

async function lookAlone({ environment, envFile, testAlert }: DoctorOptions, stateDir: string, isRunning: boolean) {
  let opened: Gateway | undefined;
  const { subject, close } = openSubject({
    ...{ environment, stateDir, running: null, testsAlert: testAlert },
    ...surveySettings(environment, envFile),
    gateway: (settings) => {
      opened = openGateway({ ...settings.gateway, log: pino({ enabled: false }) });
      return opened;
    },
  });
  try {
    const findings = await diagnose(subject);
    return isRunning ? findings.filter(({ check }) => check !== "sidecar") : findings;
  } finally {
    await Promise.all([close(), opened?.close()]);
  }
}

const PAINT = { ok: green, warn: yellow, fail: red, skipped: (text: string) => text } as const;
const GAP = "  ";

/** A line for each, what to do below it. */
function draw(findings: NamedFinding[], { out }: Output): void {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const indent = "skipped".length + GAP.length + width + GAP.length;
  for (const [n, { check, level, seen, advice }] of findings.entries()) {
    const mark = PAINT[level](level.padEnd("skipped".length), out);
    out.write(`${mark}${GAP}${check.padEnd(width)}${GAP}${wrap(plain(seen), out, indent)}\n`);
    // Once for all to which it applies.
    if (advice !== null && findings[n + 1]?.advice !== advice)
      out.write(`${" ".repeat(indent)}${wrap(`-> ${plain(advice)}`, out, indent)}\n`);
  }
  const wrong = findings.filter(({ level }) => level === "fail").length;
  const doubtful = findings.filter(({ level }) => level === "warn").length;
  const words = [
    ...(wrong > 0 ? [red(`${count(wrong, "thing")} wrong`, out)] : []),
    ...(doubtful > 0 ? [yellow(`${count(doubtful, "thing")} to look at`, out)] : []),
  ];
  out.write(`\n${words.length > 0 ? `${words.join(", ")}.` : green("All is well.", out)}\n`);
}
