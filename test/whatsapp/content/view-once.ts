import type { proto } from "baileys";
import type { Content } from "./content.ts";

/** How the phone wraps it: `V2` for pictures and films, `V2Extension` for voice messages, `V1` by old phones. */
export type ViewOnceForm = "V1" | "V2" | "V2Extension";

const FIELDS = {
  V1: "viewOnceMessage",
  V2: "viewOnceMessageV2",
  V2Extension: "viewOnceMessageV2Extension",
} as const satisfies Record<ViewOnceForm, keyof proto.IMessage>;

/** A picture, film or voice message that can be opened once, as the phone encrypts it. See `withheld` for what WhatsApp makes of it. */
export function viewOnce(content: Content, form: ViewOnceForm = "V2"): Content {
  const [kind, fields] = Object.entries(content.message)[0] ?? [];
  if (kind === undefined) throw new Error("there is nothing to view");
  return { ...content, message: { [FIELDS[form]]: { message: { [kind]: { ...fields, viewOnce: true } } } } };
}

/** The same as linked devices such as the bot get it today: WhatsApp leaves the content out, and says so. */
export function withheld(content: Content): Content {
  const { upload: _, ...rest } = viewOnce(content);
  return { ...rest, text: "", unavailable: "view_once" };
}
