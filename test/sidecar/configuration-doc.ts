import { SETTING_NAMES, type Setting, type SettingName, settingOf } from "../../sidecar/src/settings/schema.ts";

/** docs/configuration.md, from the schema by which the sidecar reads its settings. */
export function drawConfiguration(): string {
  const rows = SETTING_NAMES.map((name) => rowOf(name, settingOf(name)));
  const table = ["| setting | what it is | form | default | |", "|---|---|---|---|---|", ...rows];
  return [HEAD, ...table, "", SECRETS, REPLACING, RELOAD].join("\n");
}

function rowOf(name: SettingName, setting: Setting): string {
  const { about, form, required, secret, reloadable, default: text } = setting;
  const standard = required ? "(required)" : text === undefined ? "" : `\`${text}\``;
  const cells = [
    `\`${name}\``,
    `${about}${secret ? ". **Secret**" : ""}`,
    form.description ?? "",
    standard,
    reloadable ? "" : "restart",
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

const HEAD = `# Configuration of the sidecar

Settings are variables of the environment, or lines of a file that \`--env-file\` names:

    hotbags serve --env-file /etc/hotbags/sidecar.env

Where the file of the command is run with \`node\`, \`--\` stands before it (\`node -- sidecar/dist/cli.js serve --env-file …\`): without that Node takes the option for its own, wherever it stands, and ends with code 9 and its own words where the file can't be read. The installed \`hotbags\` command, \`npx hotbags\` and the units have it so.

The file has \`NAME=value\` lines as Node's own \`--env-file\` reads them: a \`#\` begins a comment, also behind a value, so that a value with a \`#\` in it, or of several lines, stands in quotes. Where the environment sets a variable too, that counts; a secret in both places is refused. Names that begin with \`HOTBAGS_\`, \`BRIDGE_\` or \`ALERT_\` and are not in the table are refused, for they are misspelt; other variables (\`TZ\`, …) become part of the environment. An empty variable counts as not set.

All mistakes are said at once, without any value, and the sidecar ends with code 78. The plugin has settings of its own, in OpenClaw's configuration ([plugin.md](plugin.md)).

<!-- Made from sidecar/src/settings/schema.ts: vitest run --project unit configuration-doc -u -->

## Settings

What is marked with *restart* counts from the sidecar's next start on; all else can be [taken over by a reload](#a-reload).
`;

const SECRETS = `## Secrets

A secret is in exactly one of

- the variable itself, in the environment or in the env file;
- a file of its own, which \`<NAME>_FILE\` names: \`HOTBAGS_BEARER_TOKEN_FILE=/etc/hotbags/bearer\`;
- a credential of systemd with the setting's name: \`LoadCredential=HOTBAGS_BEARER_TOKEN:/etc/hotbags/bearer\` in the unit. The sidecar reads \`$CREDENTIALS_DIRECTORY/HOTBAGS_BEARER_TOKEN\`.

In two of them it is refused: one would be replaced, and the other one go on counting. One line break at the end of a file is not part of the secret. A file with a secret that users may read or write who are neither its owner nor of its group is refused, with the \`chmod\` that mends it; that goes for the env file too, and does not for Docker's files in \`/run/secrets\`, which are made so.

No secret is in a log, an error, \`/health\` or an alert.
`;

const REPLACING = `## Replacing a secret

Of the bearer token, the keys to sign with and the plugin's token two can be valid at once, so that no message waits while one is replaced:

1. Make the former one \`<NAME>_PREVIOUS\`, the new one \`<NAME>\`, and [reload](#a-reload). It does not matter whether the other side knows the new one by then.
2. Let the other side go over to the new one: Hot Bags, or for \`BRIDGE_TOKEN\` the plugin ([its setting](plugin.md#settings)).
3. \`hotbags status\` says by which one it goes, as do \`GET /health\` under \`rotation\` and the log. When that is the new one, also where several instances of Hot Bags run, take \`<NAME>_PREVIOUS\` out, and reload.

| secret | with two of it |
|---|---|
| \`HOTBAGS_BEARER_TOKEN\` | the new one is shown first; where Hot Bags answers 401 or 403, the former one at once. That costs a request more, and is no failed attempt |
| \`HOTBAGS_HMAC_SECRET\` | the same: a request has one signature, by the new key, then by the former one |
| \`HOTBAGS_WEBHOOK_SECRET\` | each request has two signatures, so nobody has to ask which one Hot Bags goes by, and nothing here can tell: take \`HOTBAGS_WEBHOOK_SECRET_PREVIOUS\` out when Hot Bags has the new one |
| \`BRIDGE_TOKEN\` | the plugin may show either. When one is removed, connections that were opened with it are closed |

Of \`OPENCLAW_GATEWAY_TOKEN\` there is one: write the new one down, reload, then give it to the gateway and restart that. The open connection goes on, and the next one shows the new token.
`;

const RELOAD = `## A reload

\`hotbags config reload\` (with the units: \`systemctl reload hotbags-sidecar\`) has the running sidecar read its env file, the files of secrets and the credentials again. No message is dropped, and no connection but those of the plugin whose token was removed. It says what is in use from now on, and what needs a restart:

| exit code | meaning |
|---|---|
| 0 | all that is written is in use |
| 1 | some of it needs a restart; the rest is in use |
| 78 | there are mistakes; nothing has changed, and the sidecar goes on with what it has |

The signal SIGHUP does the same; the answer is in the log. Both are in the audit. The environment itself can't change while a process runs, and systemd reads credentials at a unit's start: for these, restart.

\`hotbags config\` shows each setting with its value and its place, and beside a running sidecar what was written since and is not in use yet. \`hotbags config --env-file <file>\` checks a file before a sidecar gets it. No secret is shown.
`;
