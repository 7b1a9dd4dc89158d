import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { gatewayEnvironment } from "./environment.ts";
import { OPENCLAW } from "./places.ts";

/** What a command said, and its exit code. */
export type Said = { code: number | null; stdout: string; stderr: string };

/**
 * Runs the real `openclaw` with the configuration in `root` on this state folder, as an operator on the gateway's machine would: in a
 * process of its own, with the gateway's environment. It takes 3-8 s, several times that on a busy machine.
 */
export async function openclaw(root: string, stateDir: string, ...args: string[]): Promise<Said> {
  const env = await gatewayEnvironment(root, stateDir, { OPENCLAW_GATEWAY_TOKEN: "unused", BRIDGE_TOKEN: "unused" });
  const flags = ["--disable-warning=ExperimentalWarning", OPENCLAW];
  const child = spawn(process.execPath, [...flags, ...args], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await once(child, "close");
  const [stdout, stderr] = await said;
  return { code, stdout, stderr };
}
