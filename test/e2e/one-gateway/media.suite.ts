import { createHash, randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { OMITTED } from "../../../shared/src/index.ts";
import { until } from "../../until.ts";
import { type Contact, document, image, type Sent } from "../../whatsapp/index.ts";
import { file } from "./kinds.ts";
import { crash, MAX_FILE_BYTES, shop } from "./shop.ts";

// Attachments from the phone to Hot Bags, which checks that data_base64 is what sha256 and size_bytes say. Each part's own tests
// of files are elsewhere; these show that the parts fit together.
/** More than goes inline (3 MB), less than the limit for files. */
const LARGE_BYTES = 4_000_000;

const customer = () => shop.newCustomer();

/** One who has written before: a first burst of somebody new is put out of order by Baileys, before OpenClaw sees it. */
async function knownCustomer(): Promise<Contact> {
  const someone = customer();
  await received(await someone.says("hello"));
  return someone;
}

const nameOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
/** A picture like no other: behind its end a JPEG may have anything. */
const picture = (size = 200_000) => Buffer.concat([file("photo.jpg"), randomBytes(size)]);
const pdf = (size: number) => Buffer.concat([file("price-list.pdf"), randomBytes(size)]);
const received = ({ id }: Sent) => shop.hotbags.receives(({ message_id }) => message_id === id, { timeoutMs: 60_000 });
/** What Hot Bags must get of bytes that are sent along. */
const whole = (bytes: Buffer) => ({
  sha256: nameOf(bytes),
  size_bytes: bytes.length,
  data_base64: bytes.toString("base64"),
});
const acceptedFrom = ({ number }: Contact) =>
  shop.hotbags.accepted.filter(({ from }) => from === number).map(({ message_id }) => message_id);
const captured = ({ id }: Sent) =>
  until(
    `the plugin has ${id}`,
    () => shop.gateway.logs.some((line) => line.includes(`message_id=${id} captured`)),
    30_000,
  );
const storedBySidecar = () => readdirSync(join(shop.stateDir, "media"));

const keptByPlugin = () => readdirSync(join(shop.gateway.stateDir, "hotbags", "media"));
const pluginKeepsNothing = () => until("the plugin keeps no copy any more", () => keptByPlugin().length === 0);

it("a picture and a document arrive with their very bytes", async () => {
  const anna = customer();
  const [photo, list] = [picture(), file("price-list.pdf")];
  const shown = await anna.sends(image(photo, { caption: "This one" }));
  const named = await anna.sends(document(list, { fileName: "price-list.pdf" }));
  const message = await received(shown);
  expect(message.text).toBe("This one");
  expect(message.media).toMatchObject([{ type: "image", mime_type: "image/jpeg", ...whole(photo) }]);
  const expected = { type: "document", mime_type: "application/pdf", file_name: "price-list.pdf", ...whole(list) };
  expect((await received(named)).media).toMatchObject([expected]);
});

it("a document too large to send along is described and kept; one beyond the limit for files is described only", async () => {
  const anna = customer();
  const [large, tooLarge] = [pdf(LARGE_BYTES), pdf(MAX_FILE_BYTES)];
  const first = await received(await anna.sends(document(large, { fileName: "large.pdf" })));
  const described = { sha256: nameOf(large), size_bytes: large.length, omitted: OMITTED.tooLargeToInline };
  expect(first.media).toMatchObject([described]);
  expect(storedBySidecar()).toContain(nameOf(large));
  const second = await received(await anna.sends(document(tooLarge, { fileName: "larger.pdf" })));
  expect(second.media).toMatchObject([{ size_bytes: tooLarge.length, omitted: OMITTED.tooLarge }]);
  expect(storedBySidecar()).not.toContain(nameOf(tooLarge));
});

it("a picture from two customers, and twice from one, is stored once and goes with each message", async () => {
  const [anna, ben] = [customer(), customer()];
  const photo = picture();
  const storedBefore = ((await shop.health()).body["files"] as { stored: number }).stored;
  const sent = [await anna.sends(image(photo)), await ben.sends(image(photo)), await anna.sends(image(photo))];
  for (const one of sent) expect((await received(one)).media).toMatchObject([whole(photo)]);
  expect((await shop.health()).body["files"]).toMatchObject({ stored: storedBefore + 1 });
});

it("killed with a file in its hands, the sidecar gets it again: all messages arrive once, in order, with their bytes", async () => {
  const [anna, ben] = [await knownCustomer(), customer()];
  const [large, photo] = [pdf(LARGE_BYTES), picture()];
  crash.sidecar.arm("file:before-commit");
  const died = shop.sidecar.ended();
  const sent = [await anna.says("before"), await anna.sends(document(large, { fileName: "large.pdf" }))];
  expect(await died).toBe("SIGKILL");
  sent.push(await anna.sends(image(photo)), await anna.says("after"));
  const bens = await ben.sends(image(photo));
  for (const one of [...sent, bens]) await captured(one);
  // OpenClaw cleans up: from here on only the plugin has the bytes.
  rmSync(join(shop.gateway.stateDir, "media", "inbound"), { recursive: true });
  await shop.sidecar.start();
  const messages = await Promise.all([...sent, bens].map(received));
  expect(messages[1]?.media).toMatchObject([{ sha256: nameOf(large), omitted: OMITTED.tooLargeToInline }]);
  for (const n of [2, 4]) expect(messages[n]?.media).toMatchObject([whole(photo)]);
  expect(acceptedFrom(anna).slice(1)).toEqual(sent.map(({ id }) => id));
  expect(storedBySidecar()).toContain(nameOf(large));
  await pluginKeepsNothing();
});
