/** The release that plugin and sidecar are parts of. The test of this file holds it against package.json. */
export const VERSION = "0.1.0";

/**
 * What this release was tested with, besides itself: OpenClaw, and OpenClaw's WhatsApp plugin. The tests run on these,
 * and the sidecar's `/health` names whatever runs as another one.
 */
export const TESTED = { openclaw: "2026.9.6", whatsapp: "2026.9.6" } as const;
