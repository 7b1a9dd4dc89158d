import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSecretFile } from "./checks/secret-files.ts";
import { SETTING_NAMES, settingOf } from "./settings/schema.ts";
import { readSettings } from "./settings.ts";

const complete = {
  HOTBAGS_BASE_URL: "https://shop.example/",
  HOTBAGS_BEARER_TOKEN: "bearer",
  OPENCLAW_GATEWAY_TOKEN: "gateway",
  BRIDGE_TOKEN: "0123456789abcdef",
};

describe("settings", () => {
  it("needs four variables and fills in the others", () => {
    const settings = readSettings(complete);
    expect(settings.listen).toEqual({ host: "127.0.0.1", port: 18790 });
    expect(settings.gateway.url).toBe("ws://127.0.0.1:18789/");
    expect(settings.hotbags.hmacSecret).toBeNull();
    expect(settings.lowDiskBytes).toBe(1024 ** 3);
    expect(settings.brake).toEqual({ perMinute: 30, perHour: 300 });
    expect(settings.hotbags.baseUrl.href).toBe("https://shop.example/");
  });

  it("lets the brake be set, and switched off", () => {
    const set = { ...complete, BRIDGE_CHAT_REPLIES_PER_MINUTE: "5", BRIDGE_CHAT_REPLIES_PER_HOUR: "0" };
    expect(readSettings(set).brake).toEqual({ perMinute: 5, perHour: 0 });
    expect(() => readSettings({ ...complete, BRIDGE_CHAT_REPLIES_PER_HOUR: "many" })).toThrow(
      /BRIDGE_CHAT_REPLIES_PER_HOUR: must be a whole number/,
    );
  });

  it("takes numbers that the shop had before, and says what is wrong with one", () => {
    expect(readSettings(complete).formerNumbers).toEqual(new Set());
    const numbers = (BRIDGE_FORMER_NUMBERS: string) => readSettings({ ...complete, BRIDGE_FORMER_NUMBERS });
    expect(numbers("+15559990000, +15559990001").formerNumbers).toEqual(new Set(["+15559990000", "+15559990001"]));
    expect(() => numbers("+15559990000,0171 123")).toThrow(/BRIDGE_FORMER_NUMBERS.*must be a phone number in E.164/);
    expect(() => numbers("+15559990000,0171 123")).not.toThrow(/0171/);
  });

  it("tells of quiet hours when it is asked to, and names all that is wrong with them at once", () => {
    expect(readSettings(complete).quiet).toMatchObject({ afterMs: 0, hours: { text: "9-18" } });
    const set = { ...complete, BRIDGE_QUIET_HOURS: "4", BRIDGE_OPENING_HOURS: "Mon-Sat 9:30-18" };
    expect(readSettings(set).quiet).toMatchObject({ afterMs: 4 * 3_600_000, hours: { text: "Mon-Sat 9:30-18" } });
    expect(() => readSettings({ ...complete, BRIDGE_QUIET_HOURS: "169", BRIDGE_OPENING_HOURS: "18-9" })).toThrow(
      /BRIDGE_QUIET_HOURS: must be a whole number from 0 to 168; BRIDGE_OPENING_HOURS: must be hours of this machine's/,
    );
  });

  it("names every variable that is missing, and shows no value", () => {
    expect(() => readSettings({ BRIDGE_TOKEN: "tooshort" })).toThrow(
      /HOTBAGS_BASE_URL: is not set.*HOTBAGS_BEARER_TOKEN: is not set.*OPENCLAW_GATEWAY_TOKEN: is not set.*BRIDGE_TOKEN: must be at least 16/,
    );
    expect(() => readSettings({ ...complete, BRIDGE_TOKEN: "tooshort" })).not.toThrow(/tooshort/);
  });

  it("takes an empty variable for an unset one", () => {
    expect(() => readSettings({ ...complete, HOTBAGS_BEARER_TOKEN: "" })).toThrow(/HOTBAGS_BEARER_TOKEN: is not set/);
    expect(readSettings({ ...complete, BRIDGE_LISTEN: "" }).listen).toEqual({ host: "127.0.0.1", port: 18790 });
  });

  it.each([
    "http://shop.example",
    "ftp://shop.example",
    "https://user:pass@shop.example",
    "https://shop.example/?a=1",
    "shop.example",
  ])("refuses HOTBAGS_BASE_URL=%s", (url) => {
    expect(() => readSettings({ ...complete, HOTBAGS_BASE_URL: url })).toThrow(/HOTBAGS_BASE_URL/);
  });

  it("allows http on loopback, where the double and a developer's own backend are", () => {
    expect(readSettings({ ...complete, HOTBAGS_BASE_URL: "http://127.0.0.1:3000" }).hotbags.baseUrl.port).toBe("3000");
  });

  it.each(["0.0.0.0:18790", "192.168.0.2:1", "127.0.0.1", "127.0.0.1:99999", "unix:relative"])(
    "refuses BRIDGE_LISTEN=%s",
    (listen) => {
      expect(() => readSettings({ ...complete, BRIDGE_LISTEN: listen })).toThrow(/this machine only/);
    },
  );

  it("listens on a unix socket or IPv6 loopback when told to", () => {
    expect(readSettings({ ...complete, BRIDGE_LISTEN: "unix:/run/hotbags/bridge.sock" }).listen).toEqual({
      path: "/run/hotbags/bridge.sock",
    });
    expect(readSettings({ ...complete, BRIDGE_LISTEN: "[::1]:1" }).listen).toEqual({ host: "::1", port: 1 });
  });

  it("raises alerts in the log only, unless told where else", () => {
    expect(readSettings(complete).alerts).toEqual({
      ...{ webhookUrl: null, webhookFormat: null, command: null, heartbeatUrl: null },
      ...{ repeatMs: 4 * 3_600_000, downMs: 3 * 60_000, calmMs: 60_000 },
    });
    const ALERT_WEBHOOK_URL = "https://alerts.example/hook?token=t";
    const { alerts } = readSettings({ ...complete, ALERT_WEBHOOK_URL, ALERT_COMMAND: "mail me@shop.example" });
    expect([alerts.webhookUrl?.href, alerts.command]).toEqual([ALERT_WEBHOOK_URL, "mail me@shop.example"]);
    expect(
      readSettings({ ...complete, ALERT_WEBHOOK_URL: "http://localhost:8080/x" }).alerts.webhookUrl,
    ).not.toBeNull();
  });

  it.each(["http://alerts.example/secret", "secret", "https://me:secret@alerts.example", "file:///secret"])(
    "refuses ALERT_WEBHOOK_URL=%s, without showing it",
    (url) => {
      const read = () => readSettings({ ...complete, ALERT_WEBHOOK_URL: url });
      expect(read).toThrow(/ALERT_WEBHOOK_URL: must/);
      expect(read).not.toThrow(/secret/);
    },
  );

  it("tells of commands and events only where it is told a path, and takes no path twice", () => {
    expect(readSettings(complete)).toMatchObject({ reportsPath: null, eventsPath: null });
    const set = { ...complete, HOTBAGS_REPORTS_PATH: "/reports", HOTBAGS_EVENTS_PATH: "/events" };
    expect(readSettings(set)).toMatchObject({ reportsPath: "/reports", eventsPath: "/events" });
    expect(() => readSettings({ ...set, HOTBAGS_EVENTS_PATH: "/reports" })).toThrow(
      "HOTBAGS_EVENTS_PATH: is the same as HOTBAGS_REPORTS_PATH",
    );
    expect(() => readSettings({ ...set, HOTBAGS_INBOUND_PATH: "/reports" })).toThrow(
      "HOTBAGS_REPORTS_PATH: is the same as HOTBAGS_INBOUND_PATH",
    );
  });

  it("signs as Standard Webhooks does where there is a secret for it, and says what is wrong with one", () => {
    const set = (HOTBAGS_WEBHOOK_SECRET: string) => readSettings({ ...complete, HOTBAGS_WEBHOOK_SECRET }).hotbags;
    expect(readSettings(complete).hotbags.webhookSecret).toBeNull();
    const good = `whsec_${btoa("x".repeat(24))}`;
    expect(set(good).webhookSecret).toBe(good);
    for (const bad of [
      "secret",
      btoa("x".repeat(24)),
      `whsec_${btoa("x".repeat(23))}`,
      `${good}!`,
      `whsec_${btoa("x".repeat(65))}`,
    ]) {
      expect(() => set(bad)).toThrow(/HOTBAGS_WEBHOOK_SECRET: must be whsec_/);
      expect(() => set(bad)).not.toThrow(bad);
    }
  });

  it("signs only when HOTBAGS_HMAC_DISABLED is false, and then needs the secret", () => {
    expect(readSettings({ ...complete, HOTBAGS_HMAC_SECRET: "s" }).hotbags.hmacSecret).toBeNull();
    expect(
      readSettings({ ...complete, HOTBAGS_HMAC_SECRET: "s", HOTBAGS_HMAC_DISABLED: "false" }).hotbags.hmacSecret,
    ).toBe("s");
    expect(() => readSettings({ ...complete, HOTBAGS_HMAC_DISABLED: "false" })).toThrow(
      /HOTBAGS_HMAC_SECRET: is not set/,
    );
    expect(() => readSettings({ ...complete, HOTBAGS_HMAC_DISABLED: "no" })).toThrow(/true or false/);
  });

  const SECRETS = ["HOTBAGS_BEARER_TOKEN", "HOTBAGS_HMAC_SECRET", "OPENCLAW_GATEWAY_TOKEN", "BRIDGE_TOKEN"] as const;
  const SECRETS_IN_FILES = SETTING_NAMES.filter((name) => settingOf(name).secret);

  it.each(SECRETS)("refuses white space around %s, which nobody sees, and shows nothing of it", (name) => {
    for (const value of [
      "hidden-0123456789\n",
      "hidden-0123456789\r\n",
      " hidden-0123456789",
      "hidden-0123456789 ",
      "\n",
    ]) {
      const read = () => readSettings({ ...complete, [name]: value });
      expect(read).toThrow(`${name}: begins or ends with a space or a line break; \`echo\``);
      expect(read).not.toThrow(/hidden|visible ASCII/);
    }
  });

  it.each(["HOTBAGS_BEARER_TOKEN", "BRIDGE_TOKEN"])("refuses what no header can carry in %s", (name) => {
    for (const value of ["hidden 0123456789", "hidden\n0123456789", "hidden-0123456789é"])
      expect(() => readSettings({ ...complete, [name]: value })).toThrow(`${name}: must be visible ASCII characters`);
  });

  describe("secrets in files", () => {
    let dir: string;
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), "hotbags-secrets-"));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    /** `complete` with this secret in a file instead. */
    function inFile(name: keyof typeof complete, content: string, mode = 0o600) {
      const path = join(dir, name);
      writeFileSync(path, content, { mode });
      const { [name]: _, ...others } = complete;
      return { ...others, [`${name}_FILE`]: path };
    }

    it.each(["a-secret-of-the-file", "a-secret-of-the-file\n", "a-secret-of-the-file\r\n"])(
      "are read: %j",
      (content) => {
        const { hotbags } = readSettings(inFile("HOTBAGS_BEARER_TOKEN", content));
        expect(hotbags.bearerToken).toBe("a-secret-of-the-file");
      },
    );

    it("are judged like others", () => {
      for (const content of ["a-secret-of-the-file\n\n", "a-secret-of-the-file \n"])
        expect(() => readSettings(inFile("BRIDGE_TOKEN", content))).toThrow(/BRIDGE_TOKEN: begins or ends with/);
    });

    it("that can't be had are named with the reason", () => {
      const both = { ...complete, BRIDGE_TOKEN_FILE: "/none" };
      expect(() => readSettings(both)).toThrow(
        "BRIDGE_TOKEN: is in more than one place (the environment, BRIDGE_TOKEN_FILE); leave one",
      );
      const { BRIDGE_TOKEN: _, ...others } = complete;
      const read = (path: string) => () => readSettings({ ...others, BRIDGE_TOKEN_FILE: path });
      expect(read(join(dir, "none"))).toThrow(/^BRIDGE_TOKEN_FILE: .*none can't be used: there is no such file$/);
      // Whoever may enter it: no mode makes a file of it.
      chmodSync(dir, 0o755);
      expect(read(dir)).toThrow(/^BRIDGE_TOKEN_FILE: .* can't be used: it is a folder$/);
      expect(read("/dev/zero")).toThrow(/can't be used: it is no regular file$/);
      expect(() => readSettings(inFile("BRIDGE_TOKEN", "\n"))).toThrow(
        /BRIDGE_TOKEN_FILE: .* can't be used: it is empty$/,
      );
      expect(() => readSettings(inFile("BRIDGE_TOKEN", "x".repeat(5_000)))).toThrow(/it has more than 4096 bytes$/);
    });

    // One rule for all that can be in a file.
    it.each(SECRETS_IN_FILES)("that everybody can read or write are refused with what mends it: %s", (name) => {
      const path = join(dir, "the secret");
      writeFileSync(path, "a-secret-of-the-file");
      const { [name as keyof typeof complete]: _, ...others } = complete;
      for (const mode of [0o644, 0o604, 0o602, 0o666]) {
        chmodSync(path, mode);
        const read = () => readSettings({ ...others, [`${name}_FILE`]: path });
        expect(read).toThrow(`${name}_FILE: every user of this machine may read or write it: chmod 600 '${path}'`);
        expect(read).not.toThrow(/a-secret/);
      }
    });

    it.each([0o600, 0o400, 0o440, 0o640])("that only their owner or group may read are used (%o)", (mode) => {
      const settings = readSettings(inFile("OPENCLAW_GATEWAY_TOKEN", "a-secret-of-the-file", mode));
      expect(settings.gateway.token).toBe("a-secret-of-the-file");
    });

    it("that Docker puts into a container are used as they are: everybody may read them there", () => {
      const path = join(dir, "secret");
      writeFileSync(path, "a-secret-of-the-file", { mode: 0o444 });
      expect(readSecretFile(path, dir)).toBe("a-secret-of-the-file");
      expect(() => readSecretFile(path, `${dir}-other`)).toThrow(/chmod 600/);
    });

    it("may be the headers to send along", () => {
      const path = join(dir, "headers");
      writeFileSync(path, "# Vercel\nx-vercel-protection-bypass: s3cret\n", { mode: 0o600 });
      const { hotbags } = readSettings({ ...complete, HOTBAGS_EXTRA_HEADERS_FILE: path });
      expect(hotbags.extraHeaders).toEqual({ "x-vercel-protection-bypass": "s3cret" });
    });
  });

  it("keeps 4 GiB of files and sends 3 MB of them along, unless told otherwise", () => {
    expect(readSettings(complete).media).toEqual({ storeBytes: 4 * 1024 ** 3, inlineBytes: 3_000_000 });
    const told = { ...complete, BRIDGE_MEDIA_STORE_BYTES: "1099511627776", BRIDGE_INLINE_MEDIA_BYTES: "0" };
    expect(readSettings(told).media).toEqual({ storeBytes: 1024 ** 4, inlineBytes: 0 });
  });

  describe("BRIDGE_STORE", () => {
    const read = (BRIDGE_STORE: string) => () => readSettings({ ...complete, BRIDGE_STORE });

    it("is the embedded one unless it is set, and the sidecar has its host's name unless it has another", () => {
      expect(readSettings(complete)).toMatchObject({ database: null, instance: hostname() });
      expect(readSettings({ ...complete, BRIDGE_INSTANCE: "shop-1" }).instance).toBe("shop-1");
      expect(() => readSettings({ ...complete, BRIDGE_INSTANCE: "shop 1" })).toThrow(
        /BRIDGE_INSTANCE: must be letters/,
      );
    });

    it.each([
      "postgres://bridge:s3cret@127.0.0.1/bridge",
      "postgresql://bridge:s3cret@localhost:6543/bridge",
      "postgres://bridge:s3cret@[::1]:5432/bridge",
      "postgres://bridge:s%23cret@db.example/bridge?sslmode=verify-full",
      "postgres://bridge:s3cret@db.example/bridge?sslmode=verify-full&sslrootcert=/etc/hotbags/ca.pem",
      "postgres://bridge:s3cret@10.0.0.5/bridge?sslmode=disable",
      "postgres://bridge@%2Frun%2Fpostgresql/bridge",
      "postgres://bridge@/bridge?host=/run/postgresql",
    ])("takes %s as it is", (url) => {
      expect(read(url)().database).toBe(url);
    });

    it.each([
      ["another scheme", "mysql://bridge:s3cret@127.0.0.1/bridge", /must begin with postgres:\/\//],
      ["a path", "/var/lib/s3cret", /must begin with postgres:\/\//],
      ["no database", "postgres://bridge:s3cret@127.0.0.1", /names no database/],
      ["no host", "postgres://bridge:s3cret@/bridge", /names no host/],
      ["two hosts", "postgres://bridge:s3cret@a.example,b.example/bridge?sslmode=verify-full", /must name one host/],
      ["a # in its password", "postgres://bridge:s3#cret@127.0.0.1/bridge", /write # as %23/],
      ["a % in its password", "postgres://bridge:s3cret%@127.0.0.1/bridge", /% as %25/],
      ["no word of encryption", "postgres://bridge:s3cret@db.example/bridge", /\?sslmode=verify-full/],
      ["a mode that is none", "postgres://bridge:s3cret@db.example/bridge?sslmode=s3cret", /unknown sslmode/],
      ["a line break", "postgres://bridge:s3cret@127.0.0.1/bridge\n", /ends with a space or a line break/],
    ])("refuses %s, without showing it", (_what, url, reason) => {
      expect(read(url)).toThrow(reason);
      expect(read(url)).toThrow(/^BRIDGE_STORE: /);
      expect(read(url)).not.toThrow(/s3/);
    });
  });

  it.each([
    ["BRIDGE_INLINE_MEDIA_BYTES", "3375001"],
    ["BRIDGE_INLINE_MEDIA_BYTES", "-1"],
    ["BRIDGE_INLINE_MEDIA_BYTES", "3MB"],
    ["BRIDGE_MEDIA_STORE_BYTES", "1099511627777"],
    ["BRIDGE_MEDIA_STORE_BYTES", "1e9"],
  ])("refuses %s=%s", (name, value) => {
    expect(() => readSettings({ ...complete, [name]: value })).toThrow(`${name}: must be a whole number from 0 to`);
  });

  it("gives an answer 310 s and a message 24 hours, at the contract's path, unless told otherwise", () => {
    const { hotbags, maxRetryingMs } = readSettings(complete);
    expect(hotbags).toMatchObject({ inboundPath: "/api/integrations/whatsapp/inbound", timeoutMs: 310_000 });
    expect([hotbags.extraHeaders, maxRetryingMs]).toEqual([{}, 24 * 3_600_000]);
    const told = { ...complete, HOTBAGS_INBOUND_PATH: "/in/", HOTBAGS_TIMEOUT: "800", BRIDGE_RETRY_HOURS: "168" };
    expect(readSettings(told)).toMatchObject({
      hotbags: { inboundPath: "/in/", timeoutMs: 800_000 },
      maxRetryingMs: 168 * 3_600_000,
    });
  });

  it.each([
    ["HOTBAGS_TIMEOUT", "1", 1_000],
    ["HOTBAGS_TIMEOUT", "3600", 3_600_000],
    ["BRIDGE_RETRY_HOURS", "1", 3_600_000],
    ["HOTBAGS_INBOUND_PATH", "/", "/"],
    ["HOTBAGS_INBOUND_PATH", "/a-b/(c)/d.php;v=1", "/a-b/(c)/d.php;v=1"],
    ["HOTBAGS_INBOUND_PATH", "/caf%C3%A9", "/caf%C3%A9"],
  ])("takes %s=%s", (name, value, taken) => {
    const { hotbags, maxRetryingMs } = readSettings({ ...complete, [name]: value });
    const of = { HOTBAGS_TIMEOUT: hotbags.timeoutMs, HOTBAGS_INBOUND_PATH: hotbags.inboundPath };
    expect({ ...of, BRIDGE_RETRY_HOURS: maxRetryingMs }).toMatchObject({ [name]: taken });
  });

  it.each([
    ["HOTBAGS_TIMEOUT", "3601"],
    ["HOTBAGS_TIMEOUT", "-1"],
    ["HOTBAGS_TIMEOUT", "1.5"],
    ["BRIDGE_RETRY_HOURS", "day"],
    ["HOTBAGS_INBOUND_PATH", "/a#b"],
    ["HOTBAGS_INBOUND_PATH", "/a\nb"],
    ["HOTBAGS_INBOUND_PATH", "https://other.example/in"],
    ["HOTBAGS_INBOUND_PATH", `/${"a".repeat(1_024)}`],
    ["HOTBAGS_INBOUND_PATH", "in"],
    ["HOTBAGS_INBOUND_PATH", "//other.example/in"],
    ["HOTBAGS_INBOUND_PATH", "/in?a=1"],
    ["HOTBAGS_INBOUND_PATH", "/a/../b"],
    ["HOTBAGS_INBOUND_PATH", "/a b"],
    ["HOTBAGS_TIMEOUT", "0"],
    ["HOTBAGS_TIMEOUT", "5m"],
    ["BRIDGE_RETRY_HOURS", "169"],
    ["BRIDGE_RETRY_HOURS", "0"],
  ])("refuses %s=%s", (name, value) => {
    expect(() => readSettings({ ...complete, [name]: value })).toThrow(`${name}: must be`);
  });

  describe("HOTBAGS_EXTRA_HEADERS", () => {
    const read = (text: string) => readSettings({ ...complete, HOTBAGS_EXTRA_HEADERS: text }).hotbags.extraHeaders;

    it("has one header a line, with names in any case, comments and empty lines", () => {
      expect(read("# Vercel\r\n\r\nX-Vercel-Protection-Bypass:  s3cret value \r\nx-b:c:d\n")).toEqual({
        "x-vercel-protection-bypass": "s3cret value",
        "x-b": "c:d",
      });
    });

    it.each([
      ["no colon", "s3cret", /line 1 must be "Name: value"/],
      ["a bad name", "x s3cret: y", /line 1 must be/],
      ["no value", "x:", /line 1: the value must be visible ASCII/],
      ["a value that is no ASCII", "a: b\nx: s3crét", /line 2: the value/],
      ["one of the bridge's own", "Authorization: s3cret", /line 1: the bridge sets this header itself/],
      ["one that changes the connection", "Content-Length: 3", /the bridge sets/],
      ["more than a file of it may have", `x: s3cret${"y".repeat(4_096)}`, /must be at most 4096 characters/],
      ["a line break inside of a value", "x: s3cret\n more", /line 2 must be "Name: value"/],
      ["one twice", "x: s3cret\nX: s3cret", /line 2: the header is there twice/],
    ])("is refused with %s, without showing it", (_what, text, reason) => {
      expect(() => read(text)).toThrow(reason);
      expect(() => read(text)).toThrow(/HOTBAGS_EXTRA_HEADERS/);
      expect(() => read(text)).not.toThrow(/s3cr/);
    });
  });
});
