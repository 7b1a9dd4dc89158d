import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { takeCareOf } from "../openclaw/caretaker.ts";
import { until } from "../until.ts";
import { BuiltSidecar } from "./built-sidecar.ts";

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));

// Other systems have another `script`.
it.runIf(process.platform === "linux")(
  "writes lines for people on a terminal; everywhere else it is JSON, as the other tests read it",
  async () => {
    const sidecar = await BuiltSidecar.prepare();
    onTestFinished(() => sidecar.close());
    // util-linux's `script` gives a program a terminal of its own.
    const command = `exec "${process.execPath}" "${CLI}" serve`;
    const env = { PATH: process.env["PATH"], BRIDGE_LOW_DISK_BYTES: "0", NO_COLOR: "1", ...sidecar.env };
    const child = spawn("script", ["-qefc", command, "/dev/null"], {
      env,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    takeCareOf(child);
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    await until("it has started", () => said.includes("sidecar started"), 20_000);
    const ended = once(child, "close");
    // Ctrl-C.
    child.stdin.write("\x03");
    await ended;
    expect(said).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: sidecar started .*"listen"/m);
    expect(said).not.toMatch(/^\{/m);
  },
);
