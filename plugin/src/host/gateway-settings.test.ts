import { expect, test } from "vitest";
import { missingSettings } from "./gateway-settings.ts";
import { silence } from "./silence.ts";

const good = {
  agents: { entries: { main: {} }, defaults: { heartbeat: { every: "0m", target: "none" } } },
  session: {
    dmScope: "per-channel-peer",
    sendPolicy: { default: "allow", rules: [{ action: "deny", match: { channel: "whatsapp" } }] },
  },
  channels: { whatsapp: { pluginHooks: { messageReceived: true } } },
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

test("each other missing line is named with what to write", () => {
  const warnings = missingSettings({
    agents: good.agents,
    session: { sendPolicy: { default: "deny" } },
    channels: { whatsapp: { accounts: { a: { pluginHooks: { messageReceived: true } }, b: {} } } },
    messages: { inbound: { debounceMs: 500 } },
  });
  expect(warnings).toEqual([
    expect.stringContaining('dmScope: "per-channel-peer"'),
    expect.stringContaining("messageReceived: true"),
    expect.stringContaining("byChannel: {whatsapp: 0}"),
  ]);
});

test("whatever OpenClaw itself would say on WhatsApp is cancelled, and other channels are left alone", () => {
  expect(silence({ channel: "whatsapp" }, { channelId: "whatsapp" })).toMatchObject({ cancel: true });
  expect(silence({}, { channelId: "whatsapp" })).toMatchObject({ cancel: true });
  expect(silence({ channel: "telegram" }, { channelId: "telegram" })).toBeUndefined();
});
