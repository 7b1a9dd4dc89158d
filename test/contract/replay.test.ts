import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { requestBody } from "../../shared/src/request.ts";
import { connectOperator } from "../../sidecar/src/cli/connect.ts";
import { findMessage } from "../../sidecar/src/cli/recorded-message.ts";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, messageOf } from "../sidecar/message.ts";
import { runContract } from "./command.ts";

// Each of them starts the command, most more than once.
vi.setConfig({ testTimeout: 90_000 });

// `hotbags contract replay` and `record`: one message, for whoever looks for what a backend fails by.

const PICTURE = Buffer.from("the picture of Anna");
const SHA256 = createHash("sha256").update(PICTURE).digest("hex");
const SECRET = "secret-of-the-test";
const WEBHOOK_SECRET = `whsec_${btoa("webhook-secret-of-the-test")}`;

let sidecar: BuiltSidecar;
/** Another backend than the sidecar's own. */
let hotbags: HotBags;
let env: Record<string, string>;
const folder = mkdtempSync(join(tmpdir(), "hotbags-replay-"));

beforeAll(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN, hmacSecret: SECRET, webhookSecret: WEBHOOK_SECRET });
  hotbags.answers(() => [
    { command_id: "c1", type: "send_text", text: "Thank you" },
    { command_id: "c2", type: "send_image" },
  ]);
  sidecar = await BuiltSidecar.prepare();
  const store = openStore(sidecar.dir, systemClock);
  const bytes = (async function* () {
    yield PICTURE;
  })();
  await store.files.receive(SHA256, { offset: 0, length: PICTURE.length, body: bytes });
  const item = { type: "image", mime_type: "image/png", file_name: "anna.png", size_bytes: PICTURE.length } as const;
  const media = [{ ...item, sha256: SHA256 }];
  await store.messages.accept(messageOf("RECORDED", ANNA, { text: "the words of Anna", media }));
  store.close();
  await sidecar.process.start();
  const signed = {
    HOTBAGS_HMAC_DISABLED: "false",
    HOTBAGS_HMAC_SECRET: SECRET,
    HOTBAGS_WEBHOOK_SECRET: WEBHOOK_SECRET,
  };
  env = { BRIDGE_STATE_DIR: sidecar.dir, HOTBAGS_BEARER_TOKEN: BEARER_TOKEN, HOTBAGS_BASE_URL: hotbags.url, ...signed };
});
afterAll(async () => {
  await sidecar.close();
  await hotbags.close();
});

const replay = (...args: string[]) => runContract(env, "replay", ...args);

it("an example goes out as a message of the test chat, signed, and each command is explained", async () => {
  const ran = await replay("voice");
  const received = await hotbags.receives(({ media }) => media[0]?.type === "audio");
  expect(received).toMatchObject({ chat_id: "+12025550143", message_id: expect.stringMatching(/^REPLAY-/) });
  expect(hotbags.violations).toEqual([]);
  expect(ran.stdout).toMatch(/c1 +send_text +run/);
  expect(ran.stdout).toMatch(/c2 +send_image +skipped +the type "send_image" is not known here/);
  expect(ran.code).toBe(1);
  expect(ran.stdout + ran.stderr).not.toMatch(new RegExp(`${BEARER_TOKEN}|${SECRET}`));
});

it("a message that the sidecar has goes out with its file, and --verbatim with its own key and chat", async () => {
  await replay("RECORDED", "--verbatim", "--json");
  const received = await hotbags.receives(({ message_id }) => message_id === "RECORDED");
  expect(received).toMatchObject({ chat_id: ANNA, text: "the words of Anna" });
  expect(received.media[0]?.data_base64).toBe(PICTURE.toString("base64"));
  expect(hotbags.violations).toEqual([]);
});

it("an example that was made of it has nothing of Anna's, and can be replayed from its file", async () => {
  const out = join(folder, "example.json");
  expect(await runContract(env, "record", "RECORDED", "--out", out)).toMatchObject({ code: 0 });
  const example = readFileSync(out, "utf8");
  expect(example).not.toMatch(/Anna|anna|15550001001|RECORDED/);
  expect(requestBody.parse(JSON.parse(example)).text).toBe("xxx xxxxx xx Xxxx");
  // Never over what is there.
  expect(await runContract(env, "record", "RECORDED", "--out", out)).toMatchObject({ code: 2 });
  expect((await replay(out)).stdout).toMatch(/c1 +send_text +run/);
  expect(hotbags.violations).toEqual([]);
});

it.each([
  ["a message that nobody has", "NOBODY", 1, '"NOBODY" is the name of no example: there are '],
  ["a file that is not there", "./nowhere.json", 2, "can't be read: ENOENT"],
])("says what is wrong with %s", async (_, what, code, why) => {
  const ran = await replay(what);
  expect(ran.code).toBe(code);
  expect(ran.stderr).toContain(why);
});

it("says which examples there are where there is no sidecar to ask for messages either", async () => {
  const recorded = { stateDir: "/nowhere/at/all", connect: () => connectOperator("/nowhere/at/all", () => null) };
  await expect(findMessage("nosuch", recorded)).rejects.toThrow(
    /^"nosuch" is the name of no example: there are .*voice\. As the id .* either: no sidecar runs on \/nowhere/,
  );
});

it("says which field of a file is wrong, and not its value", async () => {
  const path = join(folder, "wrong.json");
  writeFileSync(path, JSON.stringify({ message_id: "a", text: ["secret words"] }));
  const ran = await replay(path);
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain("text: ");
  expect(ran.stderr).not.toContain("secret words");
});
