import { afterEach, describe, expect, it, vi } from "vitest";
import { troubleOf } from "./refusal.ts";

const URL = "ws://127.0.0.1:18789";
const error = (message: string, fields: object) => Object.assign(new Error(message), fields);

afterEach(() => void vi.unstubAllEnvs());

describe("why there is no link", () => {
  it("names the token that is wrong", () => {
    const refused = troubleOf(URL, error("unauthorized", { details: { code: "AUTH_TOKEN_MISMATCH" } }), {
      code: 1008,
      reason: "",
    });
    expect(refused).toEqual({ link: "refused", reason: expect.stringContaining("OPENCLAW_GATEWAY_TOKEN") });
  });

  it("names the release that does not fit", () => {
    const refused = troubleOf(URL, error("protocol mismatch", { details: { code: "PROTOCOL_MISMATCH" } }), null);
    expect(refused).toEqual({ link: "refused", reason: expect.stringContaining("OpenClaw release") });
  });

  it("takes an unknown code about us for a refusal", () => {
    const refused = troubleOf(URL, error("new rule", { details: { code: "AUTH_SOMETHING_NEW" } }), null);
    expect(refused).toEqual({ link: "refused", reason: "the gateway refuses us: new rule (AUTH_SOMETHING_NEW)" });
  });

  it.each([
    ["nobody listens", error("connect ECONNREFUSED", { code: "ECONNREFUSED" }), null, "start it with openclaw gateway"],
    ["it is starting", null, { code: 1013, reason: "gateway starting" }, "still starting"],
    ["it is restarting", null, { code: 1012, reason: "service restart" }, "restarting"],
    ["it was killed", null, { code: 1006, reason: "" }, `no connection to the gateway at ${URL}`],
    ["something unreadable", "a string", { code: 1011, reason: "internal" }, "internal"],
  ])("down: %s", (_when, cause, close, sentence) => {
    expect(troubleOf(URL, cause, close)).toEqual({ link: "down", reason: expect.stringContaining(sentence) });
  });

  it.each([
    ["was just started", { uid: 1, upMs: 25_400 }, /^the gateway is starting \(for 25 s now\).*longer than 2 min see/],
    [
      "runs, and does not listen",
      { uid: 1, upMs: 430_000 },
      /has been running for 7 min, and no gateway listens at ws:/,
    ],
    ["does not run", { uid: null, upMs: null }, /^no gateway listens at ws:.*: start it with /],
  ])("down: nobody listens, and its unit %s", (_, unit, sentence) => {
    const { reason } = troubleOf(URL, error("connect ECONNREFUSED", { code: "ECONNREFUSED" }), null, unit);
    expect(reason).toMatch(sentence);
  });

  it("names the gateway's unit where systemd runs the sidecar", () => {
    vi.stubEnv("NOTIFY_SOCKET", "/run/systemd/notify");
    const { reason } = troubleOf(URL, error("connect ECONNREFUSED", { code: "ECONNREFUSED" }), null);
    expect(reason).toContain("systemctl start openclaw-gateway.service");
  });
});
