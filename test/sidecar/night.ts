import { noteBackup } from "../../sidecar/src/checks/last-backup.ts";
import { noteReleases } from "../../sidecar/src/checks/releases.ts";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { OUR_PLUGIN } from "../openclaw/places.ts";
import { ANNA, BEN, messageOf } from "./message.ts";

// What the pages for operators show: what a night has left behind, and what the `hotbags` command says of it, the same in each run.

/** In a state folder: a dead letter, a reply of which nobody knows whether it went out, a backup, and a newer release. */
export async function leaveANight(stateDir: string): Promise<void> {
  const store = openStore(stateDir, systemClock);
  const [a, b] = [messageOf("3EB0A1F2C4D5", ANNA), messageOf("3EB0B7E8D9C0", BEN)];
  const { seq: answered } = await store.messages.accept(a);
  const reply = { commandId: "order-17", type: "send_text", text: "It is on its way", payload: "x", refusal: null };
  await store.messages.delivered(answered, 200, "{}", [reply], 420);
  await store.commands.sending(1, null);
  const reason = "the gateway ended while it was being sent";
  await store.commands.settled(1, "in_doubt", { reason, whatsappMessageId: null, partial: true });
  const { seq } = await store.messages.accept(b);
  const error = "Hot Bags answered 500";
  const attempt = { error, status: 500, nextAttemptAt: 0, waitMs: 3_600_000, detach: false };
  for (const durationMs of [310, 295]) await store.messages.failed(seq, { ...attempt, durationMs });
  await store.messages.dead(seq, 500, error, 305);
  store.close();
  const now = new Date().toISOString();
  noteBackup(stateDir, { made_at: now, file: "/var/backups/hotbags/x.tar", uploaded: true, problem: null });
  const parts = [{ name: "OpenClaw" as const, here: "2026.9.6", newest: "2026.10.1", is_newer: true, remark: null }];
  noteReleases(stateDir, { looked_at: now, parts, reboot_required: false, told: [] });
}

/** What a command said, with what differs from run to run and from machine to machine made the same. */
export function steadied(said: string, stateDir: string): string {
  return said
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "2026-03-02 03:12:40")
    .replace(/[\d.]+ [MG]iB free/, "31.4 GiB free")
    .replace(/\d+ KiB(?=, (every page|with all))/, "284 KiB")
    .replace(/Node( +)v[\d.]+ at \S+/, "Node$1v24.21.0 at /usr/bin/node")
    .replace(/127\.0\.0\.1:\d+ is reachable/, "shop.example is reachable")
    .replace(/in \d+ ms\)/, "in 48 ms)")
    .replace(/answered within [^,\n]+, 95 % within [^,\n]+/g, "answered within 2 s, 95 % within 4 s")
    .replace(/answered 200 in \d+ m?s/, "answered 200 in 380 ms")
    .replaceAll(OUR_PLUGIN.replace(/\/$/, ""), "/opt/hotbags/plugin")
    .replaceAll(stateDir, "/var/lib/hotbags")
    .trimEnd();
}
