// Preloaded into a sidecar under test (--import): at its end it says which of Node's own modules were loaded.
import { writeSync } from "node:fs";

process.on("exit", () => writeSync(1, `${JSON.stringify({ msg: "loaded", modules: process.moduleLoadList })}\n`));
