import { resolve } from "node:path";
import type { BackendUnderTest } from "../contract/backend.ts";
import { readEnvFile } from "../settings/env-file.ts";
import { type SettingName, settingOf, type Values } from "../settings/schema.ts";
import { findSettings } from "../settings/sources.ts";
import { SettingsError } from "../settings.ts";
import { CliError, EXIT } from "./exit-code.ts";

/** Where settings come from: the environment, the file of `--env-file`, and of what `--url` says, the command line. */
export interface Sources {
  environment: NodeJS.ProcessEnv;
  envFile?: string | undefined;
  url?: string | undefined;
}

const OF_BACKEND = [
  "HOTBAGS_BASE_URL",
  "HOTBAGS_INBOUND_PATH",
  "HOTBAGS_REPORTS_PATH",
  "HOTBAGS_EVENTS_PATH",
  "HOTBAGS_BEARER_TOKEN",
  "HOTBAGS_BEARER_TOKEN_PREVIOUS",
  "HOTBAGS_HMAC_DISABLED",
  "HOTBAGS_HMAC_SECRET",
  "HOTBAGS_HMAC_SECRET_PREVIOUS",
  "HOTBAGS_WEBHOOK_SECRET",
  "HOTBAGS_WEBHOOK_SECRET_PREVIOUS",
  "HOTBAGS_EXTRA_HEADERS",
  "HOTBAGS_COMMANDS",
  "HOTBAGS_TIMEOUT",
] as const satisfies SettingName[];
type OfBackend = Pick<Values, (typeof OF_BACKEND)[number]>;

/** The backend that is to be checked, as the sidecar would be told of it. Throws SettingsError, or of `--url` CliError. */
export function readBackend(sources: Sources): BackendUnderTest {
  const { values, hmacSecret, mistakes } = read(sources);
  const { HOTBAGS_BASE_URL: base, HOTBAGS_BEARER_TOKEN: token, HOTBAGS_INBOUND_PATH: inbound } = values;
  if (base && inbound && base.pathname.replace(/\/+$/, "").endsWith(inbound.replace(/\/+$/, "")))
    mistakes.push(`${sources.url === undefined ? "HOTBAGS_BASE_URL" : "--url"}: leave ${inbound} away: it is added`);
  if (!base && !names(mistakes, "HOTBAGS_BASE_URL"))
    mistakes.push("HOTBAGS_BASE_URL: is not set; or say it with --url");
  if (!token && !names(mistakes, "HOTBAGS_BEARER_TOKEN"))
    mistakes.push("HOTBAGS_BEARER_TOKEN: is not set; HOTBAGS_BEARER_TOKEN_FILE can name a file that holds it");
  if (!base || !token || mistakes.length > 0) throw new SettingsError(mistakes);
  const { HOTBAGS_INBOUND_PATH: path, HOTBAGS_EXTRA_HEADERS: extraHeaders, HOTBAGS_TIMEOUT: seconds } = values;
  const at = (below: string) => new URL(base.pathname.replace(/\/+$/, "") + below, base.origin);
  return {
    url: at(`${path}`),
    eventsUrl: values.HOTBAGS_EVENTS_PATH === undefined ? null : at(values.HOTBAGS_EVENTS_PATH),
    reportsUrl: values.HOTBAGS_REPORTS_PATH === undefined ? null : at(values.HOTBAGS_REPORTS_PATH),
    token,
    hmacSecret,
    webhookSecret: values.HOTBAGS_WEBHOOK_SECRET ?? null,
    previous: {
      token: values.HOTBAGS_BEARER_TOKEN_PREVIOUS ?? null,
      hmacSecret: values.HOTBAGS_HMAC_SECRET_PREVIOUS ?? null,
      webhookSecret: values.HOTBAGS_WEBHOOK_SECRET_PREVIOUS ?? null,
    },
    extraHeaders: extraHeaders ?? {},
    accepts: new Set(values.HOTBAGS_COMMANDS),
    timeoutMs: Number(seconds) * 1_000,
  };
}

/** What a stand-in for the backend must know. Null: any token will do, nothing is signed. Throws SettingsError. */
export function readMockSecrets(sources: Sources): {
  token: string | null;
  hmacSecret: string | null;
  webhookSecret: string | null;
} {
  const { values, hmacSecret, mistakes } = read({ ...sources, url: undefined });
  const own = mistakes.filter((mistake) => /^HOTBAGS_(BEARER|HMAC|WEBHOOK)/.test(mistake));
  if (own.length > 0) throw new SettingsError(own);
  const { HOTBAGS_BEARER_TOKEN: token = null, HOTBAGS_WEBHOOK_SECRET: webhookSecret = null } = values;
  return { token, hmacSecret, webhookSecret };
}

function read({ environment, envFile: path, url }: Sources) {
  const envFile = path === undefined ? null : readEnvFile(resolve(path));
  if (url !== undefined) checkUrl(url);
  const given = url === undefined ? environment : { ...environment, HOTBAGS_BASE_URL: url };
  const found = findSettings({ environment: given, envFile });
  const isOfBackend = (mistake: string) => mistake.startsWith("HOTBAGS_");
  const mistakes = [...(envFile?.mistakes ?? []), ...found.mistakes.filter(isOfBackend)];
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const { name, text } of found.entries) {
    if (text === undefined || !OF_BACKEND.some((one) => one === name)) continue;
    const parsed = settingOf(name).form.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else mistakes.push(`${name}: ${parsed.error.issues.map(({ message }) => message).join("; ")}`);
  }
  const typed = values as Partial<OfBackend>;
  const isSigned = typed.HOTBAGS_HMAC_DISABLED === "false";
  const hmacSecret = (isSigned && typed.HOTBAGS_HMAC_SECRET) || null;
  if (isSigned && hmacSecret === null && !names(mistakes, "HOTBAGS_HMAC_SECRET"))
    mistakes.push("HOTBAGS_HMAC_SECRET: is not set, but HOTBAGS_HMAC_DISABLED=false asks for signatures");
  return { values: typed, hmacSecret, mistakes };
}

/** Throws CliError: it is no setting that is wrong, but the command line. */
function checkUrl(url: string): void {
  const parsed = settingOf("HOTBAGS_BASE_URL").form.safeParse(url);
  if (parsed.success) return;
  throw new CliError(EXIT.usage, `--url: ${parsed.error.issues.map(({ message }) => message).join("; ")}`);
}

function names(mistakes: readonly string[], setting: SettingName): boolean {
  return mistakes.some((mistake) => mistake.startsWith(setting));
}
