import { readFileSync } from "node:fs";
import { missingSettings } from "@hotbags/shared";
import type { Check } from "./check.ts";
import { differences } from "./example.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";
import { findConfig } from "./openclaw-config.ts";

/** Beside the sidecar's own folder, in a clone as on the VM. */
const EXAMPLE = new URL("../../../openclaw.json.example", import.meta.url);

/** Lines of the example that a sentence shows. */
const SHOWN = 5;

/** What is wrong in OpenClaw's configuration, and which lines of openclaw.json.example it lacks. */
export const gatewayConfig: Check = {
  name: "OpenClaw",
  look: async (subject) => {
    const found = await findConfig(subject);
    if (found.kind === "hidden") return [skipped(`its configuration is not known: ${found.why}`)];
    if (found.kind === "broken")
      return [fail(`${found.path} can't be read (${found.why})`, "`openclaw config validate` says what is wrong")];
    const { config, from } = found;
    const mayReact = subject.settings?.hotbags.accepts.has("react") ?? false;
    const findings = missingSettings(config).map(split);
    const lines = differences(config, readFileSync(EXAMPLE, "utf8"), mayReact);
    if (lines.length > 0) {
      const more = lines.length > SHOWN ? `; and ${lines.length - SHOWN} more` : "";
      const seen = `${from} has other lines than openclaw.json.example: ${lines.slice(0, SHOWN).join("; ")}${more}`;
      findings.push(
        warn(seen, "the example says what each line is for: write it as there, or leave it if you mean it so"),
      );
    }
    return findings.length > 0 ? findings : [ok(`${from} has all that openclaw.json.example has`)];
  },
};

/** "what is so; what to do". A number in one form is a guess, all else loses or answers messages. */
function split(sentence: string): Finding {
  const [seen = sentence, advice = ""] = sentence.split("; ");
  return sentence.startsWith("WhatsApp may know") ? warn(seen, advice) : fail(seen, advice);
}
