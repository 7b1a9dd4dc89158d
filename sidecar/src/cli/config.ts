import { type ShownSettings, showSettings } from "../settings/shown-settings.ts";
import { type Reading, stateDirIn, surveySettings } from "../settings.ts";
import { connectSidecar, type Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { type Column, type Output, say, writeJson, writeTable, writeText } from "./output.ts";

type Shown = ShownSettings["settings"][number];
type Written = Pick<Shown, "value" | "source" | "path">;

/** What the command line and the environment say. */
interface ConfigOptions {
  environment: NodeJS.ProcessEnv;
  stateDir?: string | undefined;
  envFile?: string | undefined;
}

/** `hotbags config`: what a running sidecar uses and would read now, or what one would read here. Throws CliError. */
export async function showConfig(options: ConfigOptions, output: Output): Promise<number> {
  const { environment, envFile } = options;
  const reading = surveySettings(environment, envFile);
  const stateDir = options.stateDir ?? stateDirIn(reading);
  const running = await askSidecar(stateDir, reading);
  const found = running ?? shownHere(reading);
  if (output.json) writeJson(output, { ...found, is_running: running !== null });
  else {
    if (running === null && options.stateDir !== undefined)
      say(output, `No sidecar that runs on ${stateDir} is asked. --state-dir sets nothing: BRIDGE_STATE_DIR does.`);
    draw(found, running !== null, output);
  }
  return found.mistakes.length === 0 ? EXIT.ok : EXIT.config;
}

/** Null: no sidecar runs, or another file is to be checked than the one that it reads. */
async function askSidecar(stateDir: string, { envFile }: Reading): Promise<ShownSettings | null> {
  const operator = await connectSidecar(stateDir);
  if (!operator) return null;
  const found = await operator.ask("config", {});
  operator.close();
  return envFile === null || found.env_file === envFile.path ? found : null;
}

function shownHere({ entries, mistakes, envFile }: Reading): ShownSettings {
  return { env_file: envFile?.path ?? null, settings: showSettings(entries), mistakes };
}

/** `hotbags config reload`. 1: some of what is written needs a restart. */
export async function reloadConfig(operator: Operator, output: Output): Promise<number> {
  const { changed, needs_restart, mistakes } = await operator.ask("reload", {});
  if (output.json) writeJson(output, { changed, needs_restart, mistakes });
  else if (mistakes.length > 0) say(output, "Nothing was changed.");
  else if (changed.length > 0) writeText(output, `In use from now on: ${changed.join(", ")}.`);
  else if (needs_restart.length === 0) writeText(output, "What is written was in use already.");
  if (needs_restart.length > 0 && !output.json)
    writeText(output, `Not in use before a restart of the sidecar: ${needs_restart.join(", ")}.`);
  if (mistakes.length > 0) {
    writeMistakes(mistakes, output);
    return EXIT.config;
  }
  return needs_restart.length > 0 ? EXIT.no : EXIT.ok;
}

const COLUMNS: Column<Shown>[] = [
  { title: "setting", cell: ({ name }) => name },
  { title: "value", cell: ({ value }) => value ?? "" },
  { title: "from", cell: whereFrom },
];

const CHANGES: Column<Shown>[] = [
  { title: "setting", cell: ({ name }) => name },
  { title: "value", cell: ({ value, secret, written }) => changeOf(value, written?.value ?? null, secret) },
  { title: "from", cell: ({ written }) => (written ? whereFrom(written) : "") },
  { title: "taken over by", cell: ({ reloadable }) => (reloadable ? "hotbags config reload" : "a restart") },
];

function draw({ settings, mistakes }: ShownSettings, isRunning: boolean, output: Output): void {
  say(output, isRunning ? "What the running sidecar uses:" : "What a sidecar would read here:");
  writeTable(output, COLUMNS, settings);
  const changed = settings.filter(({ written }) => written !== null);
  if (changed.length > 0) {
    output.out.write("\nWritten since, and not in use yet:\n");
    writeTable(output, CHANGES, changed);
  }
  if (mistakes.length > 0) writeMistakes(mistakes, output);
}

/** One a line, beside the answer. */
function writeMistakes(mistakes: readonly string[], output: Output): void {
  say(output, `\nThese won't do:\n${mistakes.map((mistake) => `- ${mistake}`).join("\n")}`);
}

function whereFrom({ source, path }: Written): string {
  if (source === null) return "";
  const words = {
    environment: "environment",
    default: "default",
    env_file: "",
    file: "file",
    credential: "credential",
  };
  return [words[source], path].filter(Boolean).join(" ");
}

function changeOf(before: string | null, now: string | null, isSecret: boolean): string {
  if (isSecret && before !== null && now !== null) return "another secret";
  return now ?? "not set";
}
