import { MAX_MEDIA_ITEMS, mediaItem, OMITTED } from "@hotbags/shared";
import { expect, test } from "vitest";
import { describeAttachments } from "./attachments.ts";

const FOLDER = "/home/openclaw/.openclaw/media/inbound";
const UUID = "5f460798-a2a8-4c94-9296-ea72f160d5f8";

test.each([
  [`Invoice_2026_Müller---${UUID}.pdf`, "Invoice_2026_Müller.pdf"],
  [`a---b---${UUID}.tar.gz`, null],
  [`a---b---${UUID}.gz`, "a---b.gz"],
  [`README---${UUID}`, "README"],
  [`${UUID}.jpg`, null],
  [`---${UUID}.jpg`, null],
])("OpenClaw's name for a file, %s, holds the sender's: %s", (name, expected) => {
  const [item] = describeAttachments([
    { path: `${FOLDER}/${name}`, kind: "document", contentType: "application/pdf" },
  ]).media;
  expect(item?.file_name).toBe(expected);
});

test("a name that OpenClaw should give one day comes first", () => {
  const [item] = describeAttachments([{ path: `${FOLDER}/x---${UUID}.pdf`, fileName: "Invoice 2026.pdf" }]).media;
  expect(item?.file_name).toBe("Invoice 2026.pdf");
});

test("whatever stands in the list becomes an item that the wire takes, and sources stay beside their items", () => {
  const path = `${FOLDER}/${UUID}.jpg`;
  const facts = [{ path }, null, 7, "x", { path: 7 }, { path: "relative" }, { path: "/".repeat(5_000) }, { kind: {} }];
  const { media, sources } = describeAttachments(facts);
  expect(sources).toEqual([path, null, null, null, null, null, null, null]);
  for (const item of media) expect(mediaItem.parse(item)).toEqual(item);
  expect(describeAttachments([{ kind: "image" }]).sources).toBeUndefined();
  expect(describeAttachments("none")).toEqual({ media: [], sources: undefined });
  expect(describeAttachments(Array.from({ length: 100 }, () => ({ path }))).media).toHaveLength(MAX_MEDIA_ITEMS);
});

test("what OpenClaw knows only the kind of has no MIME type", () => {
  const [item] = describeAttachments([{ kind: "sticker", contentType: "sticker" }]).media;
  expect(item).toMatchObject({ type: "sticker", mime_type: null, omitted: OMITTED.unreadable });
});
