import { SETTING_NAMES, type Setting, type SettingName, settingOf } from "../../sidecar/src/settings/schema.ts";

/** docs/configuration.md, from the schema by which the sidecar reads its settings. */
export function drawConfiguration(): string {
  const rows = SETTING_NAMES.map((name) => rowOf(name, settingOf(name)));
  return [HEAD, "| setting | what it is | form | default |", "|---|---|---|---|", ...rows, "", SECRETS].join("\n");
}

function rowOf(name: SettingName, setting: Setting): string {
  const { about, form, required, secret, default: text } = setting;
  const standard = required ? "(required)" : text === undefined ? "" : `\`${text}\``;
  const cells = [`\`${name}\``, `${about}${secret ? ". **Secret**" : ""}`, form.description ?? "", standard];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

const HEAD = `# Configuration of the sidecar

Settings are variables of the environment, or lines of a file that \`--env-file\` names:

    hotbags serve --env-file /etc/hotbags/sidecar.env

The file has \`NAME=value\` lines as Node's own \`--env-file\` reads them: a \`#\` begins a comment, also behind a value, so that a value with a \`#\` in it, or of several lines, stands in quotes. Where the environment sets a variable too, that counts. Names that begin with \`HOTBAGS_\`, \`BRIDGE_\` or \`ALERT_\` and are not in the table are refused, for they are misspelt; other variables (\`TZ\`, …) become part of the environment. An empty variable counts as not set.

All mistakes are said at once, without any value, and the sidecar ends with code 78. The plugin has settings of its own, in OpenClaw's configuration ([plugin.md](plugin.md)).

<!-- Made from sidecar/src/settings/schema.ts: vitest run --project unit configuration-doc -u -->

## Settings
`;

const SECRETS = `## Secrets

A secret is in exactly one of

- the variable itself, in the environment or in the env file;
- a file of its own, which \`<NAME>_FILE\` names: \`HOTBAGS_BEARER_TOKEN_FILE=/etc/hotbags/bearer\`;
- a credential of systemd with the setting's name: \`LoadCredential=HOTBAGS_BEARER_TOKEN:/etc/hotbags/bearer\` in the unit. The sidecar reads \`$CREDENTIALS_DIRECTORY/HOTBAGS_BEARER_TOKEN\`.

In two of them it is refused: one would be replaced, and the other one go on counting. One line break at the end of a file is not part of the secret. A file with a secret that users may read or write who are neither its owner nor of its group is refused, with the \`chmod\` that mends it; that goes for the env file too, and does not for Docker's files in \`/run/secrets\`, which are made so.

No secret is in a log, an error, \`/health\` or an alert.
`;
