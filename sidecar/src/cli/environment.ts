import { SETTING_NAMES, type Setting, settingOf } from "../settings/schema.ts";

/** What `hotbags serve` reads, for its help. */
export const ENVIRONMENT = `Settings come from the environment, and from the file of NAME=value lines that --env-file names:

${SETTING_NAMES.map((name) => `  ${name}: ${settingOf(name).about} (${remarks(settingOf(name))})`).join("\n")}

A secret can be in a file of its own instead (HOTBAGS_BEARER_TOKEN_FILE=/path, and so on), or be a credential of systemd with the setting's name. docs/configuration.md says more, and hotbags config what counts.`;

function remarks(setting: Setting): string {
  const { required, secret, default: text } = setting;
  const each = [required && "required", secret && "secret", text !== undefined && `default ${text}`].filter(Boolean);
  return each.length > 0 ? each.join(", ") : "default: none";
}
