import { readFileSync } from "node:fs";
import { OMITTED } from "../../../shared/src/index.ts";
import {
  album,
  audio,
  type Card,
  type Content,
  contactCard,
  disappearing,
  document,
  gif,
  image,
  liveLocation,
  location,
  poll,
  sticker,
  text,
  video,
  videoNote,
  viewOnce,
  voice,
  withheld,
  wrapped,
} from "../../whatsapp/index.ts";

/** A kind of message that a customer sends directly. Its name is that of its example in docs/contract. */
export interface Kind {
  readonly name: string;
  readonly content: Content;
  /** What Hot Bags gets of it. */
  readonly text?: string;
  readonly media?: { readonly type: string; readonly mime_type: string | null; readonly omitted?: string };
  readonly raw?: object;
}

const JPEG = { type: "image", mime_type: "image/jpeg" };
const MP4 = { type: "video", mime_type: "video/mp4" };
const OPUS = { type: "audio", mime_type: "audio/ogg; codecs=opus" };
const PDF = { type: "document", mime_type: "application/pdf" };

const CARLA: Card = { name: "Carla", phones: ["+1 555 000 2001", "+1 555 000 2002"] };
const DAN: Card = { name: "Dan", phones: ["+1 555 000 2003"] };

/** `raw` with contact cards. */
function cards(kind: "contact" | "contacts", ...contacts: Card[]): object {
  const payload = { kind, total: contacts.length, contacts };
  return { ChannelStructuredContext: [{ label: "WhatsApp contact", source: "whatsapp", type: kind, payload }] };
}

/** A small, valid file of test/files. */
export function file(name: string): Buffer {
  return readFileSync(new URL(`../../files/${name}`, import.meta.url));
}

const photo = () => image(file("photo.jpg"));
/** WhatsApp has thrown the file away. */
const gone = ({ upload: _, ...content }: Content): Content => content;
const place = { name: "Hot Bags", address: "Main Street 1" };

/** All that arrives. */
export const KINDS: readonly Kind[] = [
  { name: "text", content: text("Is the red bag still there? 👜"), text: "Is the red bag still there? 👜" },
  { name: "image", content: image(file("photo.jpg"), { caption: "This one" }), text: "This one", media: JPEG },
  { name: "image-without-caption", content: photo(), media: JPEG },
  { name: "video", content: video(file("film.mp4"), { caption: "And this" }), text: "And this", media: MP4 },
  { name: "gif", content: gif(file("film.mp4")), media: MP4 },
  { name: "video-note", content: videoNote(file("film.mp4")), media: MP4 },
  { name: "voice", content: voice(file("voice.ogg")), media: OPUS },
  { name: "audio", content: audio(file("song.m4a")), media: { type: "audio", mime_type: "audio/mp4" } },
  { name: "document", content: document(file("price-list.pdf"), { fileName: "price-list.pdf" }), media: PDF },
  {
    name: "document-with-caption",
    content: document(file("price-list.pdf"), { fileName: "price-list.pdf", caption: "Your prices?" }),
    text: "Your prices?",
    media: PDF,
  },
  {
    name: "sticker",
    content: sticker(file("sticker.webp")),
    media: { type: "sticker", mime_type: "image/webp" },
  },
  {
    name: "location",
    content: location(52.5201, 13.4049),
    raw: { LocationLat: 52.5201, LocationLon: 13.4049, LocationSource: "pin", LocationIsLive: false },
  },
  {
    name: "location-of-a-place",
    content: location(52.5201, 13.4049, place),
    raw: { LocationSource: "place", LocationName: place.name, LocationAddress: place.address },
  },
  {
    name: "live-location",
    content: liveLocation(52.5201, 13.4049, { caption: "On my way", accuracyInMeters: 12 }),
    text: "On my way",
    raw: { LocationLat: 52.5201, LocationAccuracy: 12, LocationSource: "live", LocationIsLive: true },
  },
  { name: "contact", content: contactCard(CARLA), raw: cards("contact", CARLA) },
  { name: "contacts", content: contactCard([CARLA, DAN]), raw: cards("contacts", CARLA, DAN) },
  {
    name: "disappearing",
    content: text("Only for a day", { expiresInSeconds: 86_400 }),
    text: "Only for a day",
  },
  {
    name: "disappearing-from-an-old-phone",
    content: disappearing(image(file("photo.jpg"), { caption: "For a day", expiresInSeconds: 86_400 })),
    text: "For a day",
    media: JPEG,
  },
  {
    name: "view-once-image",
    content: viewOnce(image(file("photo.jpg"), { caption: "Look" })),
    text: "Look",
    media: JPEG,
  },
  { name: "view-once-video", content: viewOnce(video(file("film.mp4"))), media: MP4 },
  { name: "view-once-voice", content: viewOnce(voice(file("voice.ogg")), "V2Extension"), media: OPUS },
  { name: "poll", content: poll("Which one?", ["red", "blue"]), text: "Which one?\n- red\n- blue" },
  {
    name: "image-not-available",
    content: gone(image(file("photo.jpg"), { caption: "This one" })),
    text: "This one",
    media: JPEG,
  },
  {
    name: "animated-sticker",
    content: wrapped(sticker(file("sticker.webp")), "lottieStickerMessage"),
    media: { type: "sticker", mime_type: null, omitted: OMITTED.unreadable },
  },
  {
    name: "mention-of-a-whole-group",
    content: wrapped(text("All of you: is it still there?"), "groupMentionedMessage"),
    text: "All of you: is it still there?",
  },
  {
    name: "question-to-an-assistant",
    content: wrapped(text("What does it cost?"), "botInvokeMessage"),
    text: "What does it cost?",
  },
];

const bare = (message: Content["message"]): Content => ({ message, type: "text", text: "" });
const SHOP = "15559990000@s.whatsapp.net";

/** What OpenClaw drops before any hook. */
export const DROPPED: readonly (readonly [name: string, content: Content])[] = [
  ["view-once, as WhatsApp withholds it from linked devices", withheld(photo())],
  [
    "an order from the shop's WhatsApp catalogue",
    bare({ orderMessage: { orderId: "1", itemCount: 2, sellerJid: SHOP } }),
  ],
  [
    "a question about a product of the shop's WhatsApp catalogue",
    bare({ productMessage: { product: { productId: "1", title: "Red bag" }, businessOwnerJid: SHOP } }),
  ],
  [
    "an invitation to a group",
    bare({ groupInviteMessage: { groupJid: "120363000000000050@g.us", inviteCode: "x", groupName: "Deals" } }),
  ],
  ["the frame of an album, whose pictures follow as messages of their own", album(2)],
  ["a calendar event", bare({ eventMessage: { name: "Sale" } })],
];
