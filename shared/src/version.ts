/** The release that plugin and sidecar are parts of. The test of this file holds it against package.json. */
export const VERSION = "0.1.0";
