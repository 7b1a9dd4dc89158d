import { createHash, randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { OMITTED } from "../../../shared/src/index.ts";
import { until } from "../../until.ts";
import { type Contact, document, image, type Sent } from "../../whatsapp/index.ts";
import { file } from "./kinds.ts";
import { shop } from "./shop.ts";

// One kill of the gateway (SIGKILL) and one start after it, which take half a minute. Three customers are in the middle of something
// then, each of them in something else.

const REPLY = "back again";
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

  await shop.gateway.kill();
  lift();
  shop.hotbags.answers(({ message_id, from }) =>
    from === carla.number ? [] : [{ command_id: `${message_id}-0`, type: "send_text", text: REPLY }],
  );
  await shop.sidecar.start();
  await received(asked);
  expect(anna.heard).toEqual([]);
  await shop.restartGateway();
}, 300_000);

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
