import { language } from "../state/preferences.ts";

/** A sentence that the sidecar, OpenClaw or Hot Bags has made, in English: for a screen reader that reads German. */
export function Foreign({ children }: { children: string }) {
  return language.value === "en" ? <span>{children}</span> : <span lang="en">{children}</span>;
}
