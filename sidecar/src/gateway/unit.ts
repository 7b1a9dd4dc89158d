import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import * as z from "zod";

const UNIT = "openclaw-gateway.service";

/** Where install.sh writes it. */
const UNIT_FILE = `/etc/systemd/system/${UNIT}`;

/** systemctl takes some 10 ms. It is killed after this, ms. */
const ASK_TIMEOUT_MS = 2_000;

/** A gateway listens so long after its start, ms: 20 s on a fast machine, more on one that starts all at once. */
const STARTS_WITHIN_MS = 120_000;

/** What systemd knows of the gateway that it runs. */
export interface GatewayUnit {
  /** The user that it runs as; null where that is not known, as before its first start. */
  readonly uid: number | null;
  /** For how long it has been running or starting, ms; null: it does neither. */
  readonly upMs: number | null;
}

/** systemctl(1), `show`: a property a line. What is not set is empty, or says so. */
const shown = z.object({
  LoadState: z.literal("loaded"),
  ActiveState: z.string(),
  UID: z.string().regex(/^\d+$/).transform(Number).nullish().catch(null),
  /** When it was started last, in µs of CLOCK_MONOTONIC, which is process.hrtime's. */
  InactiveExitTimestampMonotonic: z.string().regex(/^\d+$/).transform(Number),
});

/** Whether systemd runs the gateway: where it runs this process, or where install.sh has been. */
export function isOfSystemd(): boolean {
  return Boolean(process.env["NOTIFY_SOCKET"]) || existsSync(UNIT_FILE);
}

/** What systemd says of the gateway. Null where it does not run it, or can't be asked. Never rejects. */
export function gatewayUnit(): Promise<GatewayUnit | null> {
  if (!isOfSystemd()) return Promise.resolve(null);
  const args = ["show", UNIT, `--property=${Object.keys(shown.shape).join(",")}`];
  // Nothing of the sidecar's secrets.
  const env = { PATH: process.env["PATH"] };
  return new Promise((resolve) => {
    execFile("systemctl", args, { env, timeout: ASK_TIMEOUT_MS }, (error, stdout) => {
      resolve(error ? null : readUnit(stdout, Number(process.hrtime.bigint() / 1_000_000n)));
    });
  });
}

/** Reads what `systemctl show` says, at this instant of CLOCK_MONOTONIC, ms. Null where there is no such unit. */
export function readUnit(text: string, nowMs: number): GatewayUnit | null {
  const properties = text.split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]);
  const { data } = shown.safeParse(Object.fromEntries(properties));
  if (!data) return null;
  const isUp = ["active", "activating", "reloading"].includes(data.ActiveState);
  const upMs = isUp ? Math.max(0, nowMs - data.InactiveExitTimestampMonotonic / 1_000) : null;
  return { uid: data.UID ?? null, upMs };
}

/** Whether a gateway that does not listen yet is just starting: nothing has to be done then. */
export function isStarting(unit: GatewayUnit | null): boolean {
  return unit !== null && unit.upMs !== null && unit.upMs < STARTS_WITHIN_MS;
}
