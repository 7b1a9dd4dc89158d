import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeProgram } from "../../sidecar/src/cli/main.ts";
import { ROOT } from "./runbook-pages.ts";
import { commandsIn, type SimpleCommand } from "./shell-lines.ts";

const SYSTEMD = join(ROOT, "systemd");
const INSTALL = readFileSync(join(SYSTEMD, "install.sh"), "utf8");
const UNITS = readdirSync(SYSTEMD).filter((name) => /\.(service|target|timer)$/.test(name));

/** Programs of the system, and what each may be told to do first. Null: anything. */
const SYSTEM: Record<string, readonly string[] | null> = {
  "apt-cache": ["policy"],
  "apt-get": ["install", "update", "upgrade"],
  ...Object.fromEntries(["cat", "cd", "chmod", "cp", "curl", "df", "echo", "fallocate", "free", "growpart"].map(any)),
  ...Object.fromEntries(["install", "iptables", "jq", "ls", "mkswap", "nano", "od", "printf", "reboot"].map(any)),
  ...Object.fromEntries(["resize2fs", "scp", "sed", "sha256sum", "shred", "ss", "swapon", "tar", "tee", "tr"].map(any)),
  timedatectl: ["set-timezone", "set-ntp"],
};
function any(name: string): [string, null] {
  return [name, null];
}

const VERBS = [
  "disable",
  "enable",
  "list-timers",
  "list-units",
  "reboot",
  "reload",
  "restart",
  "start",
  "status",
  "stop",
];

/** Options of journalctl that the runbook uses, and whether a value follows. */
const JOURNAL: Record<string, boolean> = {
  ...{ "-u": true, "-n": true, "-o": true, "-k": false, "-f": false },
  ...{ "--since": true, "--grep": true, "--vacuum-size": true },
};

/** What is said to OpenClaw, but for our own part. */
const OPENCLAW = [/^channels login --channel whatsapp( --account \S+)?$/, /^--version$/, /^config validate$/];

/** Ours in it: plugin/src/status. */
const OPENCLAW_HOTBAGS =
  /^hotbags (status|audit|parked (list|show \S+|retry|discard)( \S+)?)( --json| --all| --content| --yes)*$/;

/** Why a command is none, or null. It is not run. */
export async function mistakeIn({ words, files }: SimpleCommand): Promise<string | null> {
  const [program = "", ...args] = words;
  const wrongPath = [...words, ...files].flatMap((word) => pathsIn(word)).find((path) => !isKnownPath(path));
  if (wrongPath) return `nothing makes ${wrongPath}`;
  if (/^[A-Za-z_]+=/.test(program)) return args.length > 0 ? mistakeIn({ words: args, files }) : null;
  if (program === "sudo") return mistakeIn({ words: withoutSudo(args), files });
  if (program === "ssh") return args.length > 1 ? mistakeIn({ words: args.slice(1), files }) : null;
  if (program === "hotbags") return args.join() === "--help" ? null : hotbagsMistake(args);
  if (program === "hotbags-openclaw") return openclawMistake(args.join(" "));
  if (program === "./install.sh") return installMistake(args);
  if (program === "/opt/hotbags/systemd/copy-state-from") return args.length === 1 ? null : "it takes one argument";
  if (program === "systemctl") return systemctlMistake(args);
  if (program === "journalctl") return journalMistake(args);
  if (program === "npm") return npmMistake(args);
  if (program === "node") return args.join() === "--version" ? null : "node is only asked for its version";
  if (program === "sh") return args[0] === "-c" ? mistakesInside(args[1] ?? "") : "sh is run with -c";
  const first = SYSTEM[program];
  if (first === undefined) return `${program} is no program that is known here`;
  return first === null || args.length === 0 || first.includes(args[0] ?? "") ? null : `${program} has no ${args[0]}`;
}

async function mistakesInside(script: string): Promise<string | null> {
  for (const command of commandsIn(script)) {
    const mistake = await mistakeIn(command);
    if (mistake) return mistake;
  }
  return null;
}

function withoutSudo(args: string[]): string[] {
  const rest = args.findIndex((arg) => !/^(-H|--preserve-env=\w+)$/.test(arg));
  return args.slice(rest);
}

/** Ends the command line's work once it was understood, before anything is done. */
class Understood extends Error {}

/** By our own definition of the command line: names, options, arguments, values. */
export async function hotbagsMistake(args: string[]): Promise<string | null> {
  const program = makeProgram(args, {}, () => {}).middleware(() => {
    throw new Understood();
  });
  try {
    await program.parseAsync(args);
  } catch (error) {
    return error instanceof Understood ? null : (error as Error).message;
  }
  return "nothing would be done";
}

function openclawMistake(said: string): string | null {
  return OPENCLAW_HOTBAGS.test(said) || OPENCLAW.some((known) => known.test(said))
    ? null
    : `openclaw ${said} is not known`;
}

function installMistake(args: string[]): string | null {
  const options = args.filter((arg) => arg.startsWith("-"));
  const unknown = options.find((option) => !new RegExp(`^    ${option}(?= |\\))`, "m").test(INSTALL));
  return unknown ? `install.sh has no ${unknown}` : null;
}

function systemctlMistake(args: string[]): string | null {
  const [verb = "", ...units] = args.filter((arg) => !["--now", "--failed"].includes(arg));
  if (!VERBS.includes(verb)) return `systemctl has no ${verb} here`;
  return unknownUnit(units);
}

function unknownUnit(units: string[]): string | null {
  const unknown = units.find((unit) => !UNITS.includes(unit) && !UNITS.includes(`${unit}.service`));
  return unknown ? `there is no unit ${unknown} in systemd/` : null;
}

function journalMistake(args: string[]): string | null {
  const units: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const [name = "", value] = (args[at] ?? "").split("=");
    const hasValue = JOURNAL[name];
    if (hasValue === undefined) return `journalctl has no ${name} here`;
    if (hasValue && value === undefined) at += 1;
    if (name === "-u") units.push(args[at] ?? "");
  }
  return unknownUnit(units);
}

async function npmMistake([verb, ...args]: string[]): Promise<string | null> {
  if (verb !== "run") return `npm ${verb} is not known here`;
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const [script = "", , ...rest] = args.filter((arg) => arg !== "-s");
  if (!Object.hasOwn(scripts, script)) return `there is no npm run ${script}`;
  return script === "hotbags" && rest.join() !== "--help" ? hotbagsMistake(rest) : null;
}

// ---------------------------------------------------------------------------------------------------------------------

const OURS = [
  ...UNITS,
  "install.sh",
  "hotbags",
  "hotbags-openclaw",
  "run",
  "tmpfiles.conf",
  "sysusers.conf",
  "journald.conf",
]
  .map((name) => readFileSync(join(SYSTEMD, name), "utf8"))
  .concat(readFileSync(join(ROOT, "openclaw.json.example"), "utf8"))
  .join("\n");

/** Made by a program, at a name that no file of systemd/ has: where it is from. */
const MADE = [
  /^\/var\/lib\/hotbags\/(bridge\.sqlite(-wal)?|media)$/, // sidecar/src/store
  /^\/var\/lib\/openclaw\/\.openclaw\/hotbags\/outbox\.sqlite$/, // plugin/src/bridge.ts
  /^\/var\/lib\/openclaw\/\.openclaw\/credentials(\/whatsapp\/\w+)?$/, // OpenClaw
  /^\/var\/backups\/hotbags(\/hotbags-\d{8}T\d{6}Z\.tar)?$/, // the backup's timer, or the operator; sidecar/src/cli/backup.ts
  /^\/var\/backups\/(hotbags-ledger|openclaw(\/openclaw\.tar\.gz)?)$/, // the operator, by the runbook
  /^\/var\/lib\/hotbags-install(\/(answers|run))?$/, // docs/cloud-init.yaml
  /^\/opt\/hotbags-releases\/\d+\.\d+\.\d+-[\da-f]{8}$/, // install.sh
  /^\/var\/lib\/hotbags\/before-restore-[\dT:.-]+Z$/, // sidecar/src/backup
  /^\/var\/run\/reboot-required$/, // Ubuntu's update-notifier
  /^\/etc\/(fstab|systemd\/system)$/,
];

const PATH = /(?<![\w.:$~{}<-])\/(?:etc|opt|var|usr|run)(?:\/[\w@.-]+)+/g;

/** What a text names below the folders that this project uses. */
export function pathsIn(text: string): string[] {
  return (text.match(PATH) ?? []).map((path) => path.replace(/[.]+$/, ""));
}

export function isKnownPath(path: string): boolean {
  if (path.startsWith("/opt/hotbags/")) return existsSync(join(ROOT, path.slice("/opt/hotbags/".length)));
  const secret = /^\/etc\/hotbags\/secrets\/(\w+)$/.exec(path)?.[1];
  if (secret) return isSetting(secret);
  const named = path.replaceAll(".", "\\.");
  return MADE.some((made) => made.test(path)) || new RegExp(`${named}(?![\\w-])`).test(OURS);
}

/** A setting of the sidecar, or a version that install.sh installs. */
export function isSetting(name: string): boolean {
  return SETTINGS.includes(`\`${name}\``) || new RegExp(`^${name}=`, "m").test(INSTALL);
}

const SETTINGS = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");

export const isUnit = (name: string): boolean => UNITS.includes(name);
