/**
 * A WhatsApp Web server on loopback that the real Baileys inside the real `openclaw gateway` logs in to.
 *
 *     const whatsapp = await startWhatsApp();
 *     await whatsapp.link(stateDir, { number: "+15559990000" });
 *     // start `openclaw gateway` with whatsapp.gatewayEnv() in its environment, then:
 *     await whatsapp.online();
 *     const anna = whatsapp.contact("+15550001", { name: "Anna" });
 *     await (await anna.says("hi")).received();
 *     const reply = await anna.hears();
 *     await whatsapp.close();
 */
export type { Contact, ContactOptions, PostOptions, SayOptions } from "./contact.ts";
export { album, beforeHd, inAlbum, inHd } from "./content/associated.ts";
export { type AudioOptions, audio } from "./content/audio.ts";
export { type Card, contactCard } from "./content/contact-card.ts";
export type { Content, Context, Quotable } from "./content/content.ts";
export { disappearing } from "./content/disappearing.ts";
export { type DocumentOptions, document } from "./content/document.ts";
export { gif } from "./content/gif.ts";
export { image } from "./content/image.ts";
export { type LiveLocationOptions, liveLocation } from "./content/live-location.ts";
export { type LocationOptions, location } from "./content/location.ts";
export { poll } from "./content/poll.ts";
export { sticker } from "./content/sticker.ts";
export { text } from "./content/text.ts";
export { video } from "./content/video.ts";
export { videoNote } from "./content/video-note.ts";
export { type ViewOnceForm, viewOnce, withheld } from "./content/view-once.ts";
export { type VoiceOptions, voice } from "./content/voice.ts";
export { type Wrapper, wrapped } from "./content/wrapped.ts";
export type {
  BotMessage,
  Receipt,
  ReceiptKind,
  SendOutcome,
  SentFacts,
  Undecrypted,
  WhatsAppEvent,
  WhatsAppListener,
} from "./events.ts";
export type { Group, GroupOptions } from "./group.ts";
export type { Expected, HearOptions } from "./inbox.ts";
export { credentialsFolder, type LinkOptions } from "./link.ts";
export type { Delivery } from "./mailbox.ts";
export type { OnSend } from "./outgoing.ts";
export type { Sent } from "./sent.ts";
export { startWhatsApp, type WhatsApp, type WhatsAppOptions } from "./whatsapp.ts";
