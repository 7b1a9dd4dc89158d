import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { whyNoPostgres } from "../setup/postgres.ts";

const DEMO = fileURLToPath(new URL("../demo/demo.ts", import.meta.url));
const run = promisify(execFile);

it("shows how another machine's sidecar goes on, and each message and reply is there once", async (test) => {
  const why = await whyNoPostgres();
  // No PostgreSQL here, and no mirror to have it from: the skip says so. CI has it.
  if (why !== null) test.skip(why);
  const { stdout } = await run(process.execPath, [DEMO, "--fleet"]);
  const story = [
    "machine-1 its sidecar is killed (SIGKILL)",
    "machine-2 its sidecar works on lisbon now",
    "answers 200 to the POST of red-bag",
  ].map((line) => stdout.indexOf(line));
  expect(story).not.toContain(-1);
  expect(story.toSorted((a, b) => a - b)).toEqual(story);
  expect(stdout).toMatch(/lisbon +machine-2 .* replies wait for the gateway's own sidecar/);
  expect(stdout.split("gets “Yes! (You asked: Is the red bag still there?)”")).toHaveLength(2);
  expect(stdout).toContain("each message is at Hot Bags once, and each customer has one reply");
}, 240_000);
