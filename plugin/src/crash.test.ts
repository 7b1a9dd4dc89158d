import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OMITTED } from "@hotbags/shared";
import { describe, expect, onTestFinished, test } from "vitest";
import { takeCareOf } from "../../test/openclaw/caretaker.ts";
import { Bridge } from "./bridge.ts";
import { INTAKE_LIMITS } from "./intake/intake.ts";
import { LINK_TIMING } from "./link/timing.ts";
import { savedFile, sha256Of } from "./testing/files.ts";
import { temporaryFolder } from "./testing/folder.ts";
import { memoryLog } from "./testing/log.ts";
import { directContext } from "./testing/messages.ts";
import { ScratchSidecar, TOKEN } from "./testing/sidecar.ts";
import { until } from "./testing/until.ts";

/**
 * A message with a file is on its way when the process is killed at this failpoint; the next process is given the rest.
 */
async function killAt(killedAt: string, prepare: (sidecar: ScratchSidecar) => void = () => {}) {
  const sidecar = await ScratchSidecar.start();
  prepare(sidecar);
  const stateDir = temporaryFolder();
  const bytes = randomBytes(1_000_000);
  const { path } = savedFile(stateDir, "a.jpg", bytes);
  const script = fileURLToPath(new URL("./testing/capture-file.ts", import.meta.url));
  const child = spawn(process.execPath, [script, stateDir, sidecar.url, TOKEN, killedAt, path], {
    ...{ detached: true, stdio: "inherit" },
  });
  takeCareOf(child);
  await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
  const bridge = new Bridge({
    ...{ stateDir, openclawVersion: "2026.9.6", log: memoryLog(), isConsumed: () => false, lookEveryMs: 1 },
    readConfig: () => ({ sidecarUrl: sidecar.url, token: TOKEN }),
    intakeLimits: { ...INTAKE_LIMITS, incompleteMs: 1 },
    linkTiming: { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5, retryMs: 1 },
  });
  onTestFinished(() => bridge.stop());
  bridge.start();
  const media = join(stateDir, "hotbags", "media");
  const files = () => readdirSync(media);
  return { sidecar, bridge, bytes, path, files };
}

const UNTIL_ACKED = [
  ...["copy:before-write", "copy:after-write", "copied:before-commit", "copy:before-rename", "copy:after-rename"],
  ...["copied:after-commit", "upload:before", "upload:after", "acked:before-commit"],
];

describe("killed while a message with a file is on its way, at", () => {
  test("capture:before-commit, OpenClaw brings it again", async () => {
    const { sidecar, bridge, bytes, path, files } = await killAt("capture:before-commit");
    await bridge.onDispatch(directContext({ MessageSid: "M1", media: [{ path, kind: "image" }] }));
    await until("arrived", () => sidecar.ids.length === 1);
    expect(sidecar.media.has(sha256Of(bytes))).toBe(true);
    await until("no file is left", () => files().length === 0);
  });

  test.each(["capture:after-commit", ...UNTIL_ACKED])(
    "%s, it arrives with its file, and nothing is left behind",
    async (failpoint) => {
      const { sidecar, bytes, files } = await killAt(failpoint);
      await until("arrived", () => sidecar.ids.length > 0);
      expect(new Set(sidecar.ids)).toEqual(new Set(["M1"]));
      for (const { media } of sidecar.messages) expect(media).toMatchObject([{ sha256: sha256Of(bytes) }]);
      expect(sidecar.messages.flatMap(({ media }) => media.map(({ omitted }) => omitted)).filter(Boolean)).toEqual([]);
      await until("no file is left", () => files().length === 0);
      expect(sidecar.violations).toEqual([]);
    },
  );

  test.each(["acked:after-commit", "discard:before", "discard:after"])(
    "%s, only its file is left, and swept",
    async (failpoint) => {
      const { sidecar, bridge, files } = await killAt(failpoint);
      await until("no file is left", () => files().length === 0);
      await bridge.onDispatch(directContext({ MessageSid: "last" }));
      await until("the next arrived", () => sidecar.ids.includes("last"));
      expect(sidecar.ids).toEqual(["M1", "last"]);
    },
  );

  test.each(["omit:before-commit", "omit:after-commit"])(
    "%s, it arrives without the file that was refused",
    async (failpoint) => {
      const { sidecar, files } = await killAt(failpoint, ({ media }) => {
        media.refuses = ({ method }) => (method === "PATCH" ? 507 : undefined);
      });
      await until("arrived", () => sidecar.ids.length === 1);
      expect(sidecar.messages[0]?.media).toMatchObject([{ omitted: OMITTED.noRoom, size_bytes: 1_000_000 }]);
      await until("no file is left", () => files().length === 0);
    },
  );

  test("copied:before-commit, and OpenClaw's file is gone by the next start: the message arrives all the same", async () => {
    const sidecar = await ScratchSidecar.start();
    const stateDir = temporaryFolder();
    const { path } = savedFile(stateDir, "a.jpg", randomBytes(1_000));
    const script = fileURLToPath(new URL("./testing/capture-file.ts", import.meta.url));
    const args = [script, stateDir, sidecar.url, TOKEN, "copied:before-commit", path];
    const child = spawn(process.execPath, args, { detached: true, stdio: "inherit" });
    takeCareOf(child);
    await once(child, "exit");
    rmSync(path);
    const bridge = new Bridge({
      ...{ stateDir, openclawVersion: "2026.9.6", log: memoryLog(), isConsumed: () => false, lookEveryMs: 1 },
      readConfig: () => ({ sidecarUrl: sidecar.url, token: TOKEN }),
      intakeLimits: { ...INTAKE_LIMITS, incompleteMs: 1 },
    });
    onTestFinished(() => bridge.stop());
    bridge.start();
    await until("arrived", () => sidecar.ids.length === 1);
    expect(sidecar.messages[0]?.media).toMatchObject([{ omitted: OMITTED.unreadable }]);
  });
});

test("a disk that takes no more bytes costs the file, not the message", async () => {
  const sidecar = await ScratchSidecar.start();
  const stateDir = temporaryFolder();
  const { path } = savedFile(stateDir, "a.jpg", randomBytes(1_000_000));
  const script = fileURLToPath(new URL("./testing/capture-file.ts", import.meta.url));
  const args = [process.execPath, script, stateDir, sidecar.url, TOKEN, "never", path];
  // The kernel lets this process write no file beyond 500 KiB, as a full disk would not.
  const child = spawn("bash", ["-c", 'ulimit -f 500; exec "$@"', "limited", ...args], {
    ...{ detached: true, stdio: "inherit" },
  });
  takeCareOf(child);
  const ended = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await until("arrived", () => sidecar.ids.length === 1);
  expect(sidecar.messages[0]?.media).toMatchObject([{ omitted: OMITTED.noRoom, size_bytes: 1_000_000 }]);
  expect(readdirSync(join(stateDir, "hotbags", "media"))).toEqual([]);
});
