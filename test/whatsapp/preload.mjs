// Loaded into the gateway with NODE_OPTIONS=--import. The gateway runs private copies of Baileys, so what the double needs
// changed in it (the pinned root key, the media host) has to be changed in the source of each copy as it is loaded.
import { registerHooks } from "node:module";

const rootKey = process.env.WHATSAPP_DOUBLE_ROOT_KEY;
const mediaBase = process.env.WHATSAPP_DOUBLE_MEDIA_BASE;

const edits = {
  "Defaults/index.js": [["142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b", rootKey]],
  "Utils/messages-media.js": [
    [`https://\${host}\${directPath}`, `${mediaBase}\${directPath}`],
    [`https://\${hostname}\${MEDIA_PATH_MAP`, `${mediaBase}\${MEDIA_PATH_MAP`],
  ],
};

function edited(url, source) {
  for (const [from, to] of edits[url.slice(url.indexOf("/baileys/lib/") + "/baileys/lib/".length)]) {
    // Unedited, the client would refuse the double with "certificate invalid", far from the cause.
    if (!source.includes(from)) throw new Error(`whatsapp double: ${url} has no ${from}: another Baileys version?`);
    source = source.replace(from, to);
  }
  return source;
}

if (rootKey && mediaBase) {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!/\/baileys\/lib\/(Defaults\/index|Utils\/messages-media)\.js$/.test(url)) return loaded;
      return { ...loaded, source: edited(url, Buffer.from(loaded.source).toString("utf8")) };
    },
  });
}
