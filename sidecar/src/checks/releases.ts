import { existsSync } from "node:fs";
import { join } from "node:path";
import { codeOf, TESTED, VERSION } from "@hotbags/shared";
import { Agent, interceptors } from "undici";
import * as z from "zod";
import { readRecord, writeRecord } from "./record.ts";

/** What is read of an answer at most, bytes: one version of a package has some KB of metadata. */
const MAX_ANSWER_BYTES = 1024 ** 2;
const ANSWER_MS = 30_000;
const MAX_REDIRECTS = 3;

/** Debian and Ubuntu leave it where an update counts from the next start of the machine on. */
const REBOOT_REQUIRED = "/run/reboot-required";

const version = z
  .string()
  .max(64)
  .regex(/^v?\d+(\.\d+){1,3}(-[\w.]+)?$/)
  .transform((text) => text.replace(/^v/, ""));

/** npm's registry and most others say `version`, GitHub and Gitea `tag_name`. */
const release = z.union([
  z.looseObject({ version }).transform(({ version: newest }) => newest),
  z.looseObject({ tag_name: version }).transform(({ tag_name: newest }) => newest),
]);

/** What is known of one part's releases. */
const part = z.object({
  name: z.enum(["bridge", "OpenClaw"]),
  /** The one that is here: of OpenClaw the one that this release of the bridge was tested with. */
  here: z.string(),
  /** Null: it is not known. */
  newest: z.string().nullable(),
  is_newer: z.boolean(),
  /** Why it is not known, or what is to be done about a newer one: a sentence. */
  remark: z.string().nullable(),
});
export type Part = z.output<typeof part>;

const releases = z.object({
  looked_at: z.iso.datetime(),
  parts: z.array(part),
  /** The system has installed updates that count only after a restart of the machine. */
  reboot_required: z.boolean(),
  /** What the operator was told of: `OpenClaw 2026.10.1`. */
  told: z.array(z.string()),
});
export type Releases = z.output<typeof releases>;

/** Where it is looked. */
export interface Sources {
  /** `BRIDGE_RELEASES_URL`; null: nobody says where the bridge's releases are. */
  bridge: URL | null;
  /** `BRIDGE_NPM_REGISTRY`. */
  registry: URL;
}

/** Asks for the newest release of each part. Nothing is installed. Never rejects. */
export async function lookForReleases({ bridge, registry }: Sources): Promise<Part[]> {
  const openclaw = new URL(`${registry.href.replace(/\/*$/, "/")}openclaw/latest`);
  const [ofBridge, ofOpenClaw] = await Promise.all([bridge && newestAt(bridge), newestAt(openclaw)]);
  return [
    partOf("bridge", VERSION, ofBridge ?? { problem: "BRIDGE_RELEASES_URL is not set" }),
    partOf("OpenClaw", TESTED.openclaw, ofOpenClaw),
  ];
}

export function isRebootRequired(): boolean {
  return existsSync(REBOOT_REQUIRED);
}

/** What was found the last time; null: it was never looked. Never throws. */
export function readReleases(stateDir: string): Releases | null {
  return readRecord(pathIn(stateDir), releases);
}

/** Null, or the code of what failed. */
export function noteReleases(stateDir: string, found: Releases): string | null {
  return writeRecord(pathIn(stateDir), found);
}

function pathIn(stateDir: string): string {
  return join(stateDir, "releases.json");
}

type Answer = { newest: string } | { problem: string };

async function newestAt(url: URL): Promise<Answer> {
  const agent = new Agent({ connections: 1, maxResponseSize: MAX_ANSWER_BYTES });
  try {
    const following = agent.compose(interceptors.redirect({ maxRedirections: MAX_REDIRECTS }));
    const answer = await following.request({
      ...{ origin: url.origin, path: url.pathname + url.search, method: "GET" },
      headers: { accept: "application/json", "user-agent": `hotbags-bridge/${VERSION}` },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const { statusCode: status } = answer;
    const text = await answer.body.text();
    if (status !== 200) return { problem: `${url.host} answered ${status}` };
    const found = release.safeParse(parsed(text));
    return found.success ? { newest: found.data } : { problem: `${url.host} names no version` };
  } catch (error) {
    return { problem: `${url.host} can't be asked (${codeOf(error) || "no answer in time"})` };
  } finally {
    await agent.destroy();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function partOf(name: Part["name"], here: string, answer: Answer): Part {
  if ("problem" in answer) return { name, here, newest: null, is_newer: false, remark: answer.problem };
  const { newest } = answer;
  const is_newer = isNewer(newest, here);
  return { name, here, newest, is_newer, remark: is_newer ? ADVICE[name](newest) : null };
}

const ADVICE = {
  bridge: (newest: string) => `fetch ${newest} and run its install.sh: it upgrades, and goes back where that fails`,
  OpenClaw: (newest: string) =>
    `do not install it by itself: wait for a release of the bridge that was tested with ${newest}, or see what it changes (npm run compat -- --openclaw ${newest})`,
} as const satisfies Record<Part["name"], (newest: string) => string>;

/** By their numbers. Of two with the same ones, `-beta.1` is before its release, and `-1` is a correction of it. */
export function isNewer(one: string, other: string): boolean {
  const [ours, theirs] = [ranks(one), ranks(other)];
  for (let place = 0; place < Math.max(ours.length, theirs.length); place += 1) {
    const difference = (ours[place] ?? 0) - (theirs[place] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function ranks(text: string): number[] {
  const [numbers = "", ...rest] = text.split("-");
  const places = [0, 0, 0, 0].map((none, place) => Number(numbers.split(".")[place] ?? none));
  const suffix = rest.join("-");
  if (suffix === "") return places;
  return /^\d+$/.test(suffix) ? [...places, Number(suffix)] : [...places, -1];
}
