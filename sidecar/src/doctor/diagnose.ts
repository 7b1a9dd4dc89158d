import { reasonOf } from "@hotbags/shared";
import type { Gateway } from "../gateway/index.ts";
import type { NamedFinding } from "../operator/schemas.ts";
import type { Settings } from "../settings.ts";
import { alerts } from "./alerts.ts";
import type { Check, Running, Subject } from "./check.ts";
import { clock } from "./clock.ts";
import { console } from "./console.ts";
import { disk } from "./disk.ts";
import { type Finding, fail } from "./finding.ts";
import { gateway } from "./gateway.ts";
import { gatewayConfig } from "./gateway-config.ts";
import { hotbags } from "./hotbags.ts";
import { node } from "./node.ts";
import { outbox } from "./outbox.ts";
import { plugin } from "./plugin.ts";
import { pluginFolder } from "./plugin-folder.ts";
import { settings } from "./settings.ts";
import { sidecar } from "./sidecar.ts";
import { stateFolder } from "./state-folder.ts";
import { openSubject } from "./subject.ts";
import { whatsapp } from "./whatsapp.ts";

/** All but the database, which the command looks at: it takes seconds of a core. In the order of a set-up. */
const CHECKS: readonly Check[] = [
  ...[node, settings, stateFolder, disk, clock],
  ...[gateway, gatewayConfig, pluginFolder, plugin, whatsapp, hotbags, outbox, alerts, console, sidecar],
];

/** No check takes longer than this, ms. Less than the command waits for an answer of the sidecar. */
const LIMIT_MS = 12_000;

/** Looks at all, side by side, and changes nothing. Never rejects. */
export async function diagnose(subject: Subject): Promise<NamedFinding[]> {
  const found = await Promise.all(CHECKS.map((check) => lookAt(check, subject)));
  return found.flat();
}

/** From within a sidecar that runs: with its own environment and connection to the gateway. `mistakes`: in what it would read now. */
export async function diagnoseFrom(
  { settings, mistakes }: { settings: Settings; mistakes: readonly string[] },
  gateway: Gateway,
  running: Running,
  testsAlert: boolean,
): Promise<NamedFinding[]> {
  const { stateDir } = settings;
  const common = { environment: process.env, stateDir, settings, mistakes, running, testsAlert };
  const { subject, close } = openSubject({ ...common, gateway: () => gateway });
  try {
    return await diagnose(subject);
  } finally {
    await close();
  }
}

async function lookAt(check: Check, subject: Subject): Promise<NamedFinding[]> {
  const { promise: late, resolve } = Promise.withResolvers<Finding[]>();
  const seconds = LIMIT_MS / 1_000;
  const timer = setTimeout(() => resolve([fail(`no answer within ${seconds} s`, "look again")]), LIMIT_MS);
  const looked = (async () => check.look(subject))().catch((error: unknown) => [
    fail(`it can't be looked at (${reasonOf(error)})`, "this is a defect of the bridge: please report it"),
  ]);
  const findings = await Promise.race([looked, late]);
  clearTimeout(timer);
  return findings.map((finding) => ({ check: check.name, ...finding }));
}
