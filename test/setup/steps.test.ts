import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI } from "../shop/hotbags-command.ts";

const STEPS = new URL("./steps.mjs", import.meta.url).href;

/** Runs steps, each a script for Node, in a process of its own; resolves with what was said. `interrupt` is called when a step says "stop me". */
async function run(steps: string[], check: boolean, interrupt?: NodeJS.Signals): Promise<string> {
  const script = `
    import { runSteps } from ${JSON.stringify(STEPS)};
    const steps = ${JSON.stringify(steps)}.map((code) => ({ title: "", program: process.execPath, args: ["-e", code], check: ${check} }));
    try {
      const taken = await runSteps(steps, {});
      console.log("failed:", taken.filter(({ failure }) => failure !== undefined).length);
    } catch { console.log("ended"); }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk;
    if (interrupt && chunk.includes("stop me")) child.kill(interrupt);
  });
  await once(child, "close");
  return said;
}

const says = (text: string) => `console.log(${JSON.stringify(text)})`;

test("after a check that fails the others are run, and the failure is counted", async () => {
  expect(await run(["process.exit(3)", says("the next")], true)).toBe("the next\nfailed: 1\n");
});

test("after a step that fails and is no check nothing is run", async () => {
  expect(await run(["process.exit(3)", says("the next")], false)).toBe("ended\n");
});

test("who is told to end begins no further step, not even after a check", async () => {
  const waits = `${says("stop me")}; setTimeout(() => {}, 60_000)`;
  expect(await run([waits, says("the next")], true, "SIGTERM")).toBe("stop me\nended\n");
});

test("npm run hotbags is the command itself: its words alone, its exit code, in the folder where it is called", () => {
  const runner = fileURLToPath(new URL("run.mjs", import.meta.url));
  const env = { ...process.env, INIT_CWD: tmpdir() };
  const ran = spawnSync(process.execPath, [runner, "hotbags", "restore", "none.tar", "--check"], {
    env,
    encoding: "utf8",
  });
  const stderr = `hotbags: there is no file ${join(realpathSync(tmpdir()), "none.tar")}\n`;
  expect(ran).toMatchObject({ status: 1, stdout: "", stderr });
});

test("a Node that is too old is told, and where a fit one is", () => {
  const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } })";
  const ran = spawnSync(process.execPath, ["--import", `data:text/javascript,${old}`, CLI], { encoding: "utf8" });
  expect(ran).toMatchObject({
    status: 78,
    stderr: expect.stringMatching(/needs Node 24.*npm run -s hotbags -- <command>\n$/),
  });
});
