import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readStateDir, surveySettings } from "../settings.ts";
import { SETTING_NAMES, settingOf } from "./schema.ts";

const complete = {
  HOTBAGS_BASE_URL: "https://shop.example/",
  HOTBAGS_BEARER_TOKEN: "bearer",
  OPENCLAW_GATEWAY_TOKEN: "gateway",
  BRIDGE_TOKEN: "0123456789abcdef",
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-sources-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function file(name: string, content: string, mode = 0o600): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const lines = (variables: Record<string, string>) =>
  Object.entries(variables)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

/** Where each setting is from, but for defaults. */
function sources(environment: NodeJS.ProcessEnv, envFile?: string) {
  const { entries, mistakes } = surveySettings(environment, envFile);
  expect(mistakes).toEqual([]);
  const set = entries.filter(({ source }) => source !== null && source.kind !== "default");
  return Object.fromEntries(set.map(({ name, source }) => [name, source?.path ?? source?.kind]));
}

it("each setting is from where it was given, and is what was given there", () => {
  const { HOTBAGS_BEARER_TOKEN: _, BRIDGE_TOKEN: __, ...others } = complete;
  const bearer = file("bearer", "bearer of the file\n".replaceAll(" ", "-"));
  const bridge = file("BRIDGE_TOKEN", "a-credential-of-systemd", 0o440);
  const env = file("hotbags.env", "BRIDGE_RETRY_HOURS=5\nHOTBAGS_TIMEOUT=20\n", 0o644);
  const environment = {
    ...others,
    ...{ HOTBAGS_BEARER_TOKEN_FILE: bearer, CREDENTIALS_DIRECTORY: dir, HOTBAGS_TIMEOUT: "30", BRIDGE_QUIET_HOURS: "" },
  };
  expect(sources(environment, env)).toEqual({
    HOTBAGS_BASE_URL: "environment",
    HOTBAGS_BEARER_TOKEN: bearer,
    HOTBAGS_TIMEOUT: "environment",
    OPENCLAW_GATEWAY_TOKEN: "environment",
    BRIDGE_TOKEN: bridge,
    BRIDGE_RETRY_HOURS: env,
  });
  const { settings } = surveySettings(environment, env);
  expect(settings).toMatchObject({
    hotbags: { bearerToken: "bearer-of-the-file", timeoutMs: 30_000 },
    ...{ bridgeToken: "a-credential-of-systemd", maxRetryingMs: 5 * 3_600_000 },
  });
});

it("an env file is read as Node reads it", () => {
  const headers = 'HOTBAGS_EXTRA_HEADERS="x-a: 1 # no comment\nx-b: 2"\n';
  const env = file("hotbags.env", `# all of it\n\nexport ${lines(complete)}BRIDGE_RETRY_HOURS=5 # hours\n${headers}`);
  const { settings, mistakes } = surveySettings({}, env);
  expect(mistakes).toEqual([]);
  expect(settings).toMatchObject({ maxRetryingMs: 5 * 3_600_000, bridgeToken: complete.BRIDGE_TOKEN });
  expect(settings?.hotbags.extraHeaders).toEqual({ "x-a": "1 # no comment", "x-b": "2" });
});

describe("what is wrong with an env file is said, and nothing of what is in it", () => {
  const said = (path: string) => surveySettings({}, path).mistakes.filter((mistake) => !mistake.includes("is not set"));

  it.each([
    [
      "a secret that everybody can read",
      "BRIDGE_TOKEN=0123456789abcdef\n",
      0o644,
      /^--env-file: every user.*chmod 600/,
    ],
    [
      "a name that is no setting",
      "HOTBAGS_BASEURL=https://x.example\n",
      0o600,
      /^HOTBAGS_BASEURL: is no setting \(in /,
    ],
    ["a file for what is no secret", "BRIDGE_LISTEN_FILE=/x\n", 0o600, /^BRIDGE_LISTEN_FILE: is no setting/],
    [
      "a value that would be cut",
      "BRIDGE_TOKEN=0123456789abcdef#01234\n",
      0o600,
      /^BRIDGE_TOKEN: has a # in it.*quotes/,
    ],
    [
      "a value that would be cut, below one in quotes",
      'A="x\ny"\nBRIDGE_TOKEN=0123456789abcdef#0\n',
      0o600,
      /in quotes/,
    ],
  ])("%s", (_what, content, mode, reason) => {
    const mistakes = said(file("hotbags.env", content, mode));
    expect(mistakes).toEqual([expect.stringMatching(reason)]);
    expect(String(mistakes)).not.toContain("0123456789abcdef");
  });

  it.each([
    "TZ=Europe/Berlin\n",
    "OPENCLAW_LOG=x\n",
    "BRIDGE_RETRY_HOURS=5 # hours\n",
    'BRIDGE_TOKEN="0123456789abcde#f"\n',
  ])("but nothing of %s", (content) => expect(said(file("hotbags.env", content))).toEqual([]));

  it("also where it is none", () => {
    expect(said(join(dir, "none"))).toEqual([`--env-file: ${dir}/none can't be used: there is no such file`]);
    expect(said(dir)).toEqual([`--env-file: ${dir} can't be used: it is a folder`]);
    expect(said("/dev/zero")).toEqual(["--env-file: /dev/zero can't be used: it is no regular file"]);
    expect(said(file("large", "x".repeat(70_000)))).toEqual([expect.stringContaining("more than 65536 bytes")]);
    expect(() => readStateDir({}, join(dir, "none"))).toThrow(/there is no such file/);
  });
});

it("a secret is in one place, wherever the two are", () => {
  const places: [NodeJS.ProcessEnv, string][] = [];
  file("BRIDGE_TOKEN", "a-credential-of-systemd");
  const token = file("token", "a-token-in-a-file-of-its-own");
  const { BRIDGE_TOKEN: _, ...others } = complete;
  const withFile = file("file.env", `BRIDGE_TOKEN_FILE=${token}\n`);
  const withToken = file("token.env", "BRIDGE_TOKEN=a-token-in-the-env-file\n");
  places.push([{ ...complete, CREDENTIALS_DIRECTORY: dir }, "the environment, a credential"]);
  places.push([{ ...others, BRIDGE_TOKEN_FILE: token, CREDENTIALS_DIRECTORY: dir }, "BRIDGE_TOKEN_FILE, a credential"]);
  for (const [environment, words] of places)
    expect(surveySettings(environment).mistakes).toEqual([
      `BRIDGE_TOKEN: is in more than one place (${words}); leave one`,
    ]);
  expect(surveySettings(complete, withFile).mistakes).toHaveLength(1);
  expect(surveySettings(complete, withToken).mistakes).toEqual([
    `BRIDGE_TOKEN: is in more than one place (the environment, ${withToken}); leave one`,
  ]);
});

it("a credential is judged like every secret in a file", () => {
  const { BRIDGE_TOKEN: _, ...others } = complete;
  const environment = { ...others, CREDENTIALS_DIRECTORY: dir };
  const mistakes = () => surveySettings(environment).mistakes;
  expect(mistakes()).toEqual(["BRIDGE_TOKEN: is not set"]);
  const path = file("BRIDGE_TOKEN", "a-credential-of-systemd", 0o444);
  expect(mistakes()).toEqual([`BRIDGE_TOKEN: every user of this machine may read or write it: chmod 600 '${path}'`]);
  file("BRIDGE_TOKEN", "");
  expect(mistakes()).toEqual([`BRIDGE_TOKEN: ${path} can't be used: it is empty`]);
  rmSync(path);
  mkdirSync(path, { mode: 0o700 });
  expect(mistakes()).toEqual([`BRIDGE_TOKEN: ${path} can't be used: it is a folder`]);
});

it("all mistakes are said at once, of every kind, in files and out of them", () => {
  const exposed = file("exposed", "a-secret-of-the-file", 0o644);
  const env = file("hotbags.env", "HOTBAGS_BEARER=x\nBRIDGE_QUIET_HOURS=1000\nHOTBAGS_HMAC_DISABLED=false\n");
  const { mistakes, settings } = surveySettings({ BRIDGE_TOKEN_FILE: exposed, BRIDGE_LISTEN: "0.0.0.0:1" }, env);
  expect(settings).toBeNull();
  expect(mistakes.map((mistake) => mistake.slice(0, mistake.indexOf(":")))).toEqual([
    ...["HOTBAGS_BEARER", "BRIDGE_TOKEN_FILE", "HOTBAGS_BASE_URL", "HOTBAGS_BEARER_TOKEN", "OPENCLAW_GATEWAY_TOKEN"],
    ...["BRIDGE_LISTEN", "BRIDGE_QUIET_HOURS", "HOTBAGS_HMAC_SECRET"],
  ]);
});

it("the state folder is known whatever else is wrong", () => {
  const env = file("hotbags.env", "BRIDGE_STATE_DIR=/var/lib/hotbags\n");
  expect(readStateDir({}, env)).toBe("/var/lib/hotbags");
  expect(readStateDir({ BRIDGE_STATE_DIR: "/elsewhere" }, env)).toBe("/elsewhere");
  expect(readStateDir({})).toMatch(/^\/.*\/\.local\/state\/hotbags-bridge$/);
});

describe("the schema", () => {
  it("says of each setting what it is, and how its text must look", () => {
    for (const name of SETTING_NAMES) {
      expect(settingOf(name).about, name).toMatch(/^[A-Z`].*[^.]$/);
      expect(settingOf(name).form.description, name).toMatch(/./);
    }
  });

  it("has defaults that are well formed", () => {
    for (const name of SETTING_NAMES) {
      const { default: text, form } = settingOf(name);
      if (text !== undefined) expect(form.safeParse(text).success, name).toBe(true);
    }
  });

  it("takes over each secret by a reload, but for the address of the store", () => {
    const kept = SETTING_NAMES.filter((name) => !settingOf(name).reloadable);
    expect(kept).toEqual([
      ...["HOTBAGS_BASE_URL", "HOTBAGS_INBOUND_PATH", "OPENCLAW_GATEWAY_URL"],
      ...["BRIDGE_LISTEN", "BRIDGE_METRICS_LISTEN"],
      ...["BRIDGE_CONSOLE", "BRIDGE_CONSOLE_ORIGIN", "BRIDGE_CONSOLE_READ_ONLY", "BRIDGE_STATE_DIR"],
      ...["BRIDGE_STORE", "BRIDGE_INSTANCE"],
    ]);
  });
});
