import { describe, expect, test } from "vitest";
import { missingSettings } from "./gateway-settings.ts";

const good = {
  agents: { entries: { main: {} }, defaults: { heartbeat: { every: "0m", target: "none" } } },
  session: {
    dmScope: "per-channel-peer",
    sendPolicy: { default: "allow", rules: [{ action: "deny", match: { channel: "whatsapp" } }] },
  },
  channels: { whatsapp: { dmPolicy: "allowlist", pluginHooks: { messageReceived: true } } },
  messages: { inbound: { byChannel: { whatsapp: 0 } } },
};

test("a gateway that is set up for Hot Bags gives no warning", () => {
  expect(missingSettings(good)).toEqual([]);
});

test.each([
  ["no policy at all", undefined],
  ["another channel", { default: "allow", rules: [{ action: "deny", match: { channel: "telegram" } }] }],
  ["direct chats only", { rules: [{ action: "deny", match: { channel: "whatsapp", chatType: "direct" } }] }],
  ["denied by default but allowed by a rule", { default: "deny", rules: [{ action: "allow", match: {} }] }],
])("the silence of OpenClaw is not assured by %s", (_, sendPolicy) => {
  const warnings = missingSettings({ ...good, session: { ...good.session, sendPolicy } });
  expect(warnings).toEqual([expect.stringContaining('rules: [{action: "deny", match: {channel: "whatsapp"}}]')]);
});

test("denying everything by default is enough", () => {
  expect(missingSettings({ ...good, session: { ...good.session, sendPolicy: { default: "deny" } } })).toEqual([]);
});

test.each([
  ["by default the owner, who is a customer", {}],
  ["the last chat", { defaults: { heartbeat: { target: "last" } } }],
  ["one agent's own", { ...good.agents, entries: { main: { heartbeat: { target: "owner" } } } }],
])("a woken agent could write to %s", (_, agents) => {
  expect(missingSettings({ ...good, agents })).toEqual([expect.stringContaining('heartbeat: {target: "none"}')]);
});

test.each([
  ["by default", {}],
  ["as it is told", { dmPolicy: "pairing" }],
  ["for one account", { dmPolicy: "allowlist", accounts: { a: {}, b: { dmPolicy: "pairing" } } }],
])("OpenClaw would send pairing codes to strangers %s", (_, whatsapp) => {
  const pluginHooks = { messageReceived: true };
  const warnings = missingSettings({ ...good, channels: { whatsapp: { pluginHooks, ...whatsapp } } });
  expect(warnings).toEqual([expect.stringContaining('dmPolicy: "allowlist"')]);
});

test("each other missing line is named with what to write", () => {
  const warnings = missingSettings({
    agents: good.agents,
    session: { sendPolicy: { default: "deny" } },
    channels: { whatsapp: { dmPolicy: "open", accounts: { a: { pluginHooks: { messageReceived: true } }, b: {} } } },
    messages: { inbound: { debounceMs: 500 } },
  });
  expect(warnings).toEqual([
    expect.stringContaining('dmScope: "per-channel-peer"'),
    expect.stringContaining("messageReceived: true"),
    expect.stringContaining("byChannel: {whatsapp: 0}"),
  ]);
});

describe("numbers of Brazil, Mexico and Argentina", () => {
  const warnings = (whatsapp: object) =>
    missingSettings({ ...good, channels: { whatsapp: { ...good.channels.whatsapp, ...whatsapp } } });

  test("in one of their forms are counted by country and list, with both forms to write and no whole number", () => {
    const found = warnings({
      allowFrom: ["+5511987654321", "55 31 8765-4321", "5541987654321@s.whatsapp.net", 5551987654321, "+15550001001"],
      groupAllowFrom: ["+525512345678"],
      accounts: { outlet: { pluginHooks: { messageReceived: true }, allowFrom: ["whatsapp:+5491123456789"] } },
    });
    expect(found).toEqual([
      expect.stringMatching(
        /^WhatsApp may know 4 customer\(s\) of Brazil in channels\.whatsapp\.allowFrom \(\+5511…21, \+5531…21, \+5541…21, …\).*\+55 31 9 8765 4321 and \+55 31 8765 4321$/,
      ),
      expect.stringMatching(/ 1 customer\(s\) of Mexico in channels\.whatsapp\.groupAllowFrom .*\+52 1 55 1234 5678/),
      expect.stringMatching(/ of Argentina in channels\.whatsapp\.accounts\.outlet\.allowFrom .*\+54 9 11 2345 6789/),
    ]);
    expect(found.join()).not.toMatch(/987654321|87654321|5512345678|1123456789/);
  });

  test("in both forms give no warning, nor does a list that lets everybody in, or none", () => {
    expect(
      warnings({ allowFrom: ["+5511987654321", "+551187654321"], groupAllowFrom: ["*", "+5511987654321"] }),
    ).toEqual([]);
    expect(warnings({ allowFrom: "+5511987654321" })).toEqual([]);
  });
});
