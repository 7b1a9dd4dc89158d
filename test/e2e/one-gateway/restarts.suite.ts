import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";
import { OMITTED } from "../../../shared/src/index.ts";
import { BRIDGE_TOKEN } from "../../shop/shop.ts";
import { until } from "../../until.ts";
import { type Contact, document, image, type Sent } from "../../whatsapp/index.ts";
import { file } from "./kinds.ts";
import { shop } from "./shop.ts";

// One kill of the gateway (SIGKILL) and one start after it, which take half a minute. Three customers are in the middle of something
// then, each of them in something else. And whoever starts it again has just spoilt the plugin's settings.

const REPLY = "back again";
const SETTINGS = "plugins.entries.hotbags.config";
const CLEAN_UP = fileURLToPath(new URL("../../../systemd/remove-dead-plugin-captures.mjs", import.meta.url));
const LARGE_BYTES = 4_000_000;

/** Has a message at Hot Bags when the gateway dies, and no answer yet. */
let anna: Contact;
let asked: Sent;
/** Has a message in the plugin's outbox. */
let ben: Contact;
let kept: Sent;
/** Has messages with files there. */
let carla: Contact;
let withFiles: Sent[];
/** What the plugin says of its settings. */
let complaint: string;
/** OpenClaw's copies of its plugins that the killed gateway has left. */
let leftCopies: string[];
const large = randomBytes(LARGE_BYTES);
const photo = Buffer.concat([file("photo.jpg"), randomBytes(200_000)]);

const nameOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const keptByPlugin = () => readdirSync(join(shop.gateway.stateDir, "hotbags", "media"));
const posts = ({ id }: Sent) => shop.hotbags.requests.filter(({ key }) => key === id);
const received = ({ id }: Sent) => shop.hotbags.receives(({ message_id }) => message_id === id, { timeoutMs: 60_000 });
const captured = ({ id }: Sent) =>
  until(
    `the plugin has ${id}`,
    () => shop.gateway.logs.some((line) => line.includes(`message_id=${id} captured`)),
    30_000,
  );
/** Says one more thing, and resolves when its answer is there: whatever came before it has come. */
async function hearsAfterwards(who: Contact) {
  await who.says("and now?");
  await until("two replies", () => who.heard.length >= 2, 60_000);
}

beforeAll(async () => {
  [anna, ben, carla] = [shop.newCustomer(), shop.newCustomer(), shop.newCustomer()];
  // A first burst of somebody new is put out of order by Baileys, before OpenClaw sees it.
  await received(await carla.says("hello"));
  const lift = shop.hotbags.faultFor(({ from }) => from === anna.number, { status: 503 }, Number.POSITIVE_INFINITY);
  asked = await anna.says("asked before the gateway went down");
  await until("the sidecar is asking", () => posts(asked).length > 0);

  await shop.sidecar.kill();
  kept = await ben.says("kept by the plugin");
  withFiles = [
    await carla.sends(image(photo)),
    await carla.says("between"),
    await carla.sends(document(large, { fileName: "large.pdf" })),
  ];
  for (const sent of [kept, ...withFiles]) await captured(sent);
  expect(keptByPlugin()).toEqual(expect.arrayContaining([large, photo].map(nameOf)));

  leftCopies = copies();
  await shop.gateway.kill();
  lift();
  shop.hotbags.answers(({ message_id, from }) =>
    from === carla.number ? [] : [{ command_id: `${message_id}-0`, type: "send_text", text: REPLY }],
  );
  await shop.sidecar.start();
  await received(asked);
  expect(anna.heard).toEqual([]);
  const mend = await spoilSettings();
  const complains = shop.gateway.logged(/\[plugins\] hotbags: .*not forwarded/, { timeoutMs: 180_000 });
  await shop.restartGateway();
  complaint = await complains;
  await mend();
}, 300_000);

/** An address of the wrong kind, a token from a variable that isn't there, a misspelt name. Resolves with how to mend all that. */
async function spoilSettings(): Promise<() => Promise<void>> {
  let sound: Record<string, unknown> = {};
  const change = (to: (config: Record<string, unknown>) => Record<string, unknown>) =>
    shop.gateway.configure(({ plugins }) => {
      const entry = plugins.entries["hotbags"];
      if (!entry?.config) throw new Error("the example configures no plugin hotbags");
      entry.config = to(entry.config);
      return undefined;
    });
  await change((config) => {
    sound = config;
    return {
      ...config,
      sidecarUrl: String(config["sidecarUrl"]).replace("ws:", "http:"),
      token: { source: "env", provider: "default", id: "NO_SUCH_VARIABLE" },
      sidecarURL: config["sidecarUrl"],
    };
  });
  return () => change(() => sound);
}

it("a gateway starts on wrong settings: the plugin keeps messages, and names each field and its remedy", () => {
  expect(complaint).toContain("messages are kept but not forwarded");
  expect(complaint).toContain(`${SETTINGS}.sidecarUrl must be ws:// on this machine`);
  expect(complaint).toContain(`${SETTINGS}.token is missing: put the sidecar's BRIDGE_TOKEN here`);
  expect(complaint).toContain(
    `${SETTINGS}.sidecarURL is no setting: there are sidecarUrl, token, maxFileBytes and lowDiskBytes`,
  );
  const said = shop.gateway.logs.join("\n");
  expect(said).toMatch(/\[secrets\].*paths: plugins\.entries\.hotbags\.config\.token; reason: \S+/);
  expect(said).not.toContain(BRIDGE_TOKEN);
});

const copiesFolder = () => join(shop.gateway.stateDir, "tmp", "plugin-captures");
const copies = () => readdirSync(copiesFolder()).filter((name) => statSync(join(copiesFolder(), name)).isDirectory());

// If an upgrade of OpenClaw keeps its copies of plugins elsewhere, or tells otherwise which are in use, this fails.
it("the unit removes the copies of plugins that the killed gateway left, and none of the one that runs", async () => {
  const inUse = copies().filter((name) => !leftCopies.includes(name));
  expect([leftCopies.length, inUse.length]).toEqual([1, 1]);
  // Those of the last minute may be of a gateway that only just starts.
  const minutesAgo = Date.now() / 1_000 - 120;
  for (const name of copies()) utimesSync(join(copiesFolder(), name), minutesAgo, minutesAgo);
  await promisify(execFile)(process.execPath, [CLEAN_UP], { env: { OPENCLAW_STATE_DIR: shop.gateway.stateDir } });
  expect(copies()).toEqual(inUse);
});

const answerAgain = () =>
  shop.hotbags.answers(({ message_id }) => [{ command_id: `${message_id}-0`, type: "send_text", text: REPLY }]);

it("a reply to a message from before waits, and goes out once", async () => {
  answerAgain();
  await until("the reply is there", () => anna.heard.length > 0, 60_000);
  await hearsAfterwards(anna);
  expect(anna.heard.map(({ text }) => text)).toEqual([REPLY, REPLY]);
});

it("a message in the plugin's outbox is still there, and is delivered and answered once", async () => {
  answerAgain();
  await received(kept);
  await until("the reply is there", () => ben.heard.length > 0, 60_000);
  await hearsAfterwards(ben);
  expect(posts(kept)).toHaveLength(1);
  expect(ben.heard.map(({ text }) => text)).toEqual([REPLY, REPLY]);
});

it("messages with files in the outbox are delivered once, in order, with their bytes", async () => {
  const messages = await Promise.all(withFiles.map(received));
  const bytes = { sha256: nameOf(photo), size_bytes: photo.length, data_base64: photo.toString("base64") };
  expect(messages[0]?.media).toMatchObject([bytes]);
  expect(messages[2]?.media).toMatchObject([{ sha256: nameOf(large), omitted: OMITTED.tooLargeToInline }]);
  await received(await carla.says("a marker"));
  const accepted = shop.hotbags.accepted.filter(({ from }) => from === carla.number);
  expect(accepted.map(({ message_id }) => message_id).slice(1, -1)).toEqual(withFiles.map(({ id }) => id));
  for (const sent of withFiles) expect(posts(sent)).toHaveLength(1);
  await until("the plugin keeps no copy any more", () => keptByPlugin().length === 0);
});
