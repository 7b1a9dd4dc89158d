import { expect, it } from "vitest";
import { openLog } from "../log.ts";
import { type AccountCode, accountState } from "./account.ts";
import { ChannelStarter } from "./channel-starter.ts";
import type { Gateway, GatewayState } from "./types.ts";

/** The two things that the starter asks of the gateway, and a clock that is moved by hand. The crash matrix in test/crash shows it on the real gateway. */
function stand() {
  let nowMs = 0;
  let state: GatewayState = { link: "up", process: null, accounts: new Map() };
  const listeners = new Set<(state: GatewayState) => void>();
  const started: { accountId: string; atMs: number }[] = [];
  const gateway = {
    get state() {
      return state;
    },
    onChange: (listener: (state: GatewayState) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    startChannel: async (accountId: string) => {
      started.push({ accountId, atMs: nowMs });
      return { started: true as const };
    },
  } as unknown as Gateway;
  const clock = { now: () => nowMs, uptimeMs: () => nowMs, bootMs: () => nowMs };
  const log = openLog("error");
  const starter = new ChannelStarter(
    { gateway, clock, log },
    { lookMs: 3_600_000, settleMs: 5_000, firstWaitMs: 15_000, maxWaitMs: 60_000 },
  );
  const at = (ms: number, code: AccountCode) => {
    nowMs = ms;
    state = { ...state, accounts: new Map([["default", accountState(code)]]) };
    for (const listener of listeners) listener(state);
  };
  return { at, starter, startedAt: () => started.map(({ atMs }) => atMs) };
}

it("starts an account that stays stopped, then again after waits that double up to their bound", () => {
  const { at, starter, startedAt } = stand();
  for (let second = 0; second <= 200; second++) at(second * 1_000, "stopped");
  expect(startedAt()).toEqual([5_000, 20_000, 50_000, 110_000, 170_000]);
  starter.stop();
});

it("takes no notice of an account that is stopped for a moment, as at a start of the gateway", () => {
  const { at, starter, startedAt } = stand();
  at(0, "stopped");
  at(4_000, "connecting");
  at(5_000, "stopped");
  at(9_000, "connected");
  at(60_000, "connected");
  expect(startedAt()).toEqual([]);
  starter.stop();
});

it("begins anew once the account has stayed up", () => {
  const { at, starter, startedAt } = stand();
  at(0, "stopped");
  at(5_000, "stopped");
  at(6_000, "connected");
  at(19_000, "stopped");
  expect(startedAt()).toEqual([5_000]);
  at(21_000, "connected");
  at(22_000, "stopped");
  at(27_000, "stopped");
  expect(startedAt()).toEqual([5_000, 27_000]);
  starter.stop();
});

it.each(["logged_out", "replaced", "not_linked", "disabled", "reconnecting", "connecting", "unknown"] as const)(
  "leaves an account alone that is %s",
  (code) => {
    const { at, starter, startedAt } = stand();
    for (let second = 0; second <= 200; second++) at(second * 1_000, code);
    expect(startedAt()).toEqual([]);
    starter.stop();
  },
);
