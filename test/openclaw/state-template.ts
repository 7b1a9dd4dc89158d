import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join, relative } from "node:path";
import { compileCache } from "./compile-cache.ts";
import { createLogTail } from "./log-tail.ts";
import { CACHE, configPath, OPENCLAW, SUBJECT } from "./places.ts";

const VERSION = SUBJECT.whatsapp;
const TEMPLATE = join(CACHE, `openclaw-state-${VERSION}`);

/** Written last into a template: that it is whole, where it was made, and for which OpenClaw. */
const MADE = "made-in";

/**
 * Makes `stateDir` the state folder of a fresh gateway that has the WhatsApp plugin installed. The folder it is copied from is made
 * at the first call in a clone (half a minute, npm's registry), and announced to `log`; after that it takes no network and 30 ms.
 *
 * The plugin itself (80 MB) is not copied: OpenClaw loads it from where its install record says it is, which is in the template.
 */
export async function copyStateTemplate(stateDir: string, log: (line: string) => void): Promise<void> {
  const template = await ensureStateTemplate(log);
  const left = new Set([join(template, "npm"), join(template, MADE)]);
  await cp(template, stateDir, { recursive: true, filter: (source) => !left.has(source) });
}

/** Makes the template unless it is there. Resolves with its folder. */
export async function ensureStateTemplate(log: (line: string) => void): Promise<string> {
  return (await findTemplate()) ?? (await makeTemplate(log));
}

/**
 * The template's real folder, unless it is missing, was moved, or belongs to an OpenClaw elsewhere (a change of the packages moves it):
 * its install record holds absolute paths, and the WhatsApp plugin in it a link to OpenClaw.
 */
async function findTemplate(): Promise<string | undefined> {
  try {
    const template = await realpath(TEMPLATE);
    return (await readFile(join(template, MADE), "utf8")) === (await stampOf(template)) ? template : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function stampOf(template: string): Promise<string> {
  return `${template}\n${await realpath(OPENCLAW)}\n`;
}

/**
 * Makes the template under a name of its own, and then lets a symbolic link point to it. A link comes into being at once and only for
 * the first who makes it, so that two processes may do this at the same time: the later one throws its work away.
 */
async function makeTemplate(log: (line: string) => void): Promise<string> {
  log(`install OpenClaw's WhatsApp plugin ${VERSION} (once; about half a minute)`);
  await mkdir(CACHE, { recursive: true });
  const made = await realpath(await mkdtemp(`${TEMPLATE}-`));
  const root = await mkdtemp(join(CACHE, "making-"));
  try {
    await install(made, root);
    await writeFile(join(made, MADE), await stampOf(made));
    return await publish(made);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function publish(made: string): Promise<string> {
  const earlier = await findTemplate();
  if (earlier === undefined) {
    // A link to a template that was moved or half removed.
    await unlink(TEMPLATE).catch(() => {});
    try {
      await symlink(relative(dirname(TEMPLATE), made), TEMPLATE);
      return made;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  const winner = earlier ?? (await findTemplate());
  if (winner === undefined) throw new Error(`${TEMPLATE} exists, but is no template: remove it`);
  await rm(made, { recursive: true, force: true });
  return winner;
}

/** Installs the plugin as an operator would. npm keeps this user's settings: registry, proxy, certificates. */
async function install(stateDir: string, root: string): Promise<void> {
  await writeFile(configPath(root), `{ "gateway": { "mode": "local" } }\n`);
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENCLAW_.*|NODE_OPTIONS)$/.test(name));
  const env = {
    ...Object.fromEntries(inherited),
    PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
    OPENCLAW_HOME: join(root, "home"),
    OPENCLAW_STATE_DIR: stateDir,
    OPENCLAW_CONFIG_PATH: configPath(root),
    OPENCLAW_NO_AUTO_UPDATE: "1",
    // What it compiles, the first gateway needs not compile again.
    NODE_COMPILE_CACHE: await compileCache(),
    OPENCLAW_PACKAGED_COMPILE_CACHE_RESPAWNED: "1",
  };
  const args = [OPENCLAW, "plugins", "install", `npm:@openclaw/whatsapp@${VERSION}`, "--force"];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const output = createLogTail();
  output.follow(child.stdout);
  output.follow(child.stderr);
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`openclaw plugins install ended with code ${code}:\n${output.show()}`);
}
