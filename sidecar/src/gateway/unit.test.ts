import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { gatewayUnit, isStarting, readUnit } from "./unit.ts";

const show = (properties: object) =>
  `${Object.entries({ LoadState: "loaded", ActiveState: "active", UID: "995", ...properties })
    .map(([name, value]) => `${name}=${value}`)
    .join("\n")}\n`;

it.each([
  ["active", 20_000],
  ["activating", 20_000],
  ["deactivating", null],
  ["inactive", null],
  ["failed", null],
])("a unit that is %s has been up for %s ms", (ActiveState, upMs) => {
  const text = show({ ActiveState, InactiveExitTimestampMonotonic: 80_000_000 });
  expect(readUnit(text, 100_000)).toEqual({ uid: 995, upMs });
});

it.each([
  [
    "there is no such unit",
    show({ LoadState: "not-found", ActiveState: "inactive", InactiveExitTimestampMonotonic: 0 }),
  ],
  ["systemd says something else", "System has not been booted with systemd\n"],
])("nothing is known where %s", (_, text) => {
  expect(readUnit(text, 100_000)).toBeNull();
});

it("nobody knows its user before its first start", () => {
  const text = show({ ActiveState: "inactive", UID: "[not set]", InactiveExitTimestampMonotonic: 0 });
  expect(readUnit(text, 100_000)).toEqual({ uid: null, upMs: null });
});

it.each([
  ["two minutes after its start", 119_999, true],
  ["later", 120_000, false],
  ["not at all", null, false],
])("it counts as starting until two minutes after its start: %s", (_, upMs, is) => {
  expect(isStarting({ uid: 995, upMs })).toBe(is);
});

it("systemd is asked for what is needed, and a machine without it is no error", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-unit-"));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(dir, { recursive: true });
  });
  vi.stubEnv("NOTIFY_SOCKET", "/run/systemd/notify");
  vi.stubEnv("PATH", dir);
  expect(await gatewayUnit()).toBeNull();
  const properties = "LoadState,ActiveState,UID,InactiveExitTimestampMonotonic";
  const says = show({ InactiveExitTimestampMonotonic: 0 }).replaceAll("\n", "\\n");
  writeFileSync(
    join(dir, "systemctl"),
    `#!/bin/sh\n[ "$*" = "show openclaw-gateway.service --property=${properties}" ] && printf '${says}'\n`,
  );
  chmodSync(join(dir, "systemctl"), 0o755);
  expect(await gatewayUnit()).toEqual({ uid: 995, upMs: expect.any(Number) });
});
