/** Sizes that both ends of the wire rely on. Each one bounds memory or disk; none is a tuning knob. */

/** Largest frame the sidecar accepts, in bytes. A message's text is at most 65,536 characters and `raw` is bounded below, so an honest frame is far smaller. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** A frame larger than this is not even read: the WebSocket is closed with 1009. Between the two limits a frame is refused and the connection goes on. */
export const MAX_FRAME_READ_BYTES = 4 * MAX_FRAME_BYTES;

/** Largest `raw` of one message, in bytes of JSON. */
export const MAX_RAW_BYTES = 64 * 1024;

/** Most messages that the plugin may have sent without an ack, unless the sidecar grants less. */
export const MAX_CREDIT = 256;

/** Media items of one message that are described. */
export const MAX_MEDIA_ITEMS = 32;

/** The largest file that the sidecar takes, bytes. WhatsApp's own limit for documents is 2 GB; nobody's backend wants those in a message. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** Where the sidecar takes files, followed by the SHA-256. */
export const MEDIA_PATH = "/media/";

/** The largest body that Hot Bags can take, bytes: Vercel refuses a larger one (4.5 MB) before any code of the shop runs. */
export const MAX_BODY_BYTES = 4_500_000;

/** Commands in one answer. More are a mistake: nobody wants so many messages, and WhatsApp bans numbers that blast. */
export const MAX_COMMANDS = 100;

/** The longest pause of a chat, s: a week. One that was forgotten ends by itself. */
export const MAX_PAUSE_SECONDS = 7 * 24 * 3_600;
