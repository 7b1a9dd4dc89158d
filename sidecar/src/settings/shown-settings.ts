import type { Output } from "../operator/schemas.ts";
import { settingOf } from "./schema.ts";
import type { Entry } from "./sources.ts";

/** What is shown of all settings. */
export type ShownSettings = Output<"config">;
type Shown = ShownSettings["settings"][number];

/** Instead of a secret, and of what is refused: it may be one in the wrong place, such as a password in a URL. */
const SECRET = "(secret)";
const REFUSED = "(refused)";

/** Settings as they can be shown. `written`: what is to be had now, where these are the ones that are in use. */
export function showSettings(entries: readonly Entry[], written?: readonly Entry[]): Shown[] {
  return entries.map((entry) => {
    const { name } = entry;
    const { secret, reloadable } = settingOf(name);
    const now = written?.find((other) => other.name === name);
    return {
      ...{ name, secret: secret === true, reloadable: reloadable === true, ...show(entry) },
      written: now === undefined || now.text === entry.text ? null : show(now),
    };
  });
}

function show({ name, text, source }: Entry) {
  const { secret, form } = settingOf(name);
  const shown = (known: string) => (secret ? SECRET : form.safeParse(known).success ? known : REFUSED);
  const value = text === undefined ? null : shown(text);
  return { value, source: source?.kind ?? null, path: source?.path ?? null };
}
