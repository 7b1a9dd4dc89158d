import { describe, expect, it, vi } from "vitest";
import { ACCOUNT_STATES, type AccountCode, accountStatus, readAccount } from "./account.ts";

const linked = { accountId: "default", enabled: true, configured: true, linked: true, running: true };

/** As `channels.status` of OpenClaw 2026.9.6 shows them. */
const OBSERVED: readonly [AccountCode, string, object][] = [
  ["connected", "healthy", { ...linked, connected: true, healthState: "healthy", lifecycle: "ready" }],
  ["connecting", "just started", { ...linked, connected: false, healthState: "starting", lifecycle: "starting" }],
  ["reconnecting", "dropped", { ...linked, connected: false, healthState: "reconnecting", lifecycle: "recovering" }],
  ["reconnecting", "down for minutes", { ...linked, connected: false, healthState: "disconnected" }],
  ["reconnecting", "silent socket", { ...linked, connected: true, healthState: "stale-socket" }],
  [
    "stopped",
    "gave up",
    { ...linked, running: false, connected: false, healthState: "stopped", reconnectAttempts: 12 },
  ],
  ["stopped", "not started", { ...linked, running: false, connected: false, healthState: "not-running" }],
  [
    "logged_out",
    "by the phone, linked still true",
    { ...linked, running: false, connected: false, healthState: "logged-out" },
  ],
  [
    "logged_out",
    "only the last disconnect tells",
    {
      ...linked,
      running: false,
      connected: false,
      healthState: "blocked",
      lastDisconnect: { status: 401, loggedOut: true },
    },
  ],
  ["replaced", "by another session", { ...linked, running: false, connected: false, healthState: "conflict" }],
  [
    "replaced",
    "only the last disconnect tells",
    { ...linked, running: false, connected: false, healthState: "blocked", lastDisconnect: { status: 440 } },
  ],
  ["not_linked", "never linked", { ...linked, linked: false, running: false, connected: false }],
  ["disabled", "in the configuration", { ...linked, enabled: false, connected: false }],
  ["unknown", "nothing said", { accountId: "default" }],
];

describe("the state of a WhatsApp account", () => {
  it.each(OBSERVED)("%s: %s", (code, _when, status) => {
    expect(readAccount(accountStatus.parse(status)).code).toBe(code);
  });

  it("is connected again after an old logout", () => {
    const status = {
      ...linked,
      connected: true,
      healthState: "healthy",
      lastDisconnect: { status: 401, loggedOut: true },
    };
    expect(readAccount(accountStatus.parse(status)).code).toBe("connected");
  });

  it.each(["default", "outlet"])("names the account that is to be linked again: %s", (accountId) => {
    const away = { ...linked, accountId, running: false, connected: false };
    for (const status of [
      { ...away, healthState: "logged-out" },
      { ...away, linked: false },
    ])
      expect(readAccount(accountStatus.parse(status)).action).toContain(
        `hotbags relink ${accountId} --qr, or as the gateway's user openclaw channels login --channel whatsapp --account ${accountId} `,
      );
  });

  it("names the command of an installed machine where systemd runs the sidecar", () => {
    vi.stubEnv("NOTIFY_SOCKET", "/run/systemd/notify");
    const { action } = readAccount(accountStatus.parse({ ...linked, linked: false }));
    vi.unstubAllEnvs();
    expect(action).toMatch(
      /^Relink it: hotbags relink \S+ --qr, or as .* sudo hotbags-openclaw channels login --channel/,
    );
  });

  it("does not stumble over fields of another shape that decide nothing", () => {
    const status = {
      ...linked,
      connected: true,
      lastDisconnect: "yesterday",
      reconnectAttempts: "12",
      lastInboundAt: "now",
    };
    expect(readAccount(accountStatus.parse(status))).toMatchObject({
      code: "connected",
      reconnectAttempts: 0,
      lastInboundAt: null,
    });
  });

  it("comes with a sentence, and with an action unless nothing has to be done", () => {
    for (const [code, { sentence, action }] of Object.entries(ACCOUNT_STATES)) {
      expect(sentence).not.toBe("");
      expect(action === "").toBe(code === "connected" || code === "connecting");
    }
  });
});
