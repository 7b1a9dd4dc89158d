import { expect, it } from "vitest";
import type { AccountCode, AccountState, StatusReport } from "./gateway/index.ts";
import { OwnAccounts } from "./own-accounts.ts";

/** A gateway that says what the test has it say; what the store is told is noted. */
function stand() {
  const told: string[] = [];
  const contested: { account: string; message: string }[] = [];
  let tell: (report: StatusReport) => void = () => {};
  const own = new OwnAccounts({
    store: { contested, want: (account, { beside }) => void told.push(`${account} ${beside}`) },
    gateway: {
      onStatus(listener) {
        tell = listener;
        return () => {};
      },
    },
  });
  own.start();
  return {
    ...{ own, told, contested },
    says(uptimeMs: number, codes: Record<string, AccountCode>) {
      const state = (code: AccountCode) => ({ code }) as AccountState;
      const accounts = new Map(Object.entries(codes).map(([account, code]) => [account, state(code)]));
      tell({ now: uptimeMs, uptimeMs, process: null, accounts });
    },
  };
}

it("has what its gateway is linked to, or is to be, and not what is switched off or not known", () => {
  const { told, says } = stand();
  says(0, { shop: "connected", outlet: "logged_out", spare: "not_linked", off: "disabled", new: "unknown" });
  expect(told).toEqual(["shop true", "outlet true", "spare true"]);
});

it("leaves what is not linked to the other gateway that has it, until it is linked here, too", () => {
  const { told, says, contested } = stand();
  says(0, { shop: "not_linked" });
  contested.push({ account: "shop", message: "two gateways have it" });
  says(1_000, { shop: "not_linked" });
  contested.pop();
  says(2_000, { shop: "not_linked" });
  expect(told.splice(0)).toEqual(["shop true", "shop false"]);
  says(3_000, { shop: "connected" });
  contested.push({ account: "shop", message: "two gateways have it" });
  says(4_000, { shop: "connected" });
  expect(told).toEqual(["shop true", "shop true"]);
});

it("has an account no more that is switched off, at once", () => {
  const { told, says } = stand();
  says(0, { shop: "connected" });
  says(1_000, { shop: "disabled" });
  says(2_000, { shop: "disabled" });
  expect(told).toEqual(["shop true", "shop false"]);
});

it("has an account no more that its gateway has not named for a minute, and not before: it may be starting", () => {
  const { told, says } = stand();
  says(0, { shop: "connected" });
  says(60_000, {});
  expect(told.splice(0)).toEqual(["shop true"]);
  says(60_001, {});
  expect(told.splice(0)).toEqual(["shop false"]);
  says(70_000, { shop: "connecting" });
  expect(told).toEqual(["shop true"]);
});

it("has what the plugin hands in messages of, until its gateway names it no more", () => {
  const { told, own, says } = stand();
  own.handedIn("shop", 0);
  says(30_000, { shop: "not_linked" });
  says(90_000, {});
  expect(told.splice(0)).toEqual(["shop true", "shop true"]);
  says(90_001, {});
  expect(told).toEqual(["shop false"]);
});
