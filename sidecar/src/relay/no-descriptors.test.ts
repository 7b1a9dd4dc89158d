import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ruleFor } from "./rules.ts";
import { withoutAnswer } from "./symptom.ts";

const URL_OF_NOBODY = "http://127.0.0.1:9";

it("takes a want of file descriptors for this machine's trouble, not for Hot Bags being away", async () => {
  const fixture = fileURLToPath(new URL("./no-descriptors.fixture.mjs", import.meta.url));
  const limited = ["-c", 'ulimit -n 64; exec "$@"', "bash", process.execPath, fixture, URL_OF_NOBODY];
  // Nothing of ours: with NODE_EXTRA_CA_CERTS Node opens a file of its own in the middle of it.
  const env = { PATH: process.env["PATH"] };
  const child = spawn("bash", limited, { env, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [said] = await once(child, "message");
  const seen = "no connection to Hot Bags can be made: no file descriptor is left here (EMFILE)";
  expect(said).toEqual({ trouble: "descriptors", seen });

  const symptom = withoutAnswer("descriptors", seen, new URL(URL_OF_NOBODY));
  const { fault, scope, alarmAfterMs, advice } = ruleFor(symptom);
  expect({ fault, scope, alarmAfterMs }).toEqual({ fault: "machine", scope: "certain", alarmAfterMs: 0 });
  expect(advice(symptom)).toContain("LimitNOFILE");
});
