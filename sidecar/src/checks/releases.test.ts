import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TESTED, VERSION } from "@hotbags/shared";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { EXIT } from "../cli/exit-code.ts";
import { showReleases } from "../cli/releases.ts";
import { isNewer, readReleases } from "./releases.ts";

it.each([
  ["2026.10.1", "2026.9.6", true],
  ["2026.9.6", "2026.9.6", false],
  ["2026.9.5", "2026.9.6", false],
  ["2026.9.7-beta.1", "2026.9.6", true],
  ["2026.9.6-beta.1", "2026.9.6", false],
  ["2026.9.6-1", "2026.9.6", true],
  ["0.2.0", "0.1.0", true],
])("%s is newer than %s: %s", (one, other, isIt) => {
  expect(isNewer(one, other)).toBe(isIt);
});

describe("hotbags releases", () => {
  let dir: string;
  /** What is answered by path: a status, or a body with 200. */
  let answers: Record<string, number | object>;
  let asked: string[];
  let origin: string;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "hotbags-releases-"));
    answers = { "/openclaw/latest": { name: "openclaw", version: TESTED.openclaw } };
    asked = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      const answer = answers[request.url ?? ""] ?? 404;
      response.writeHead(typeof answer === "number" ? answer : 200);
      response.end(typeof answer === "number" ? "no" : JSON.stringify(answer));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  async function look(more: Record<string, string> = {}) {
    let out = "";
    const write = (text: string) => {
      out += text;
    };
    const stream = { write };
    const environment = { BRIDGE_NPM_REGISTRY: `${origin}/`, ALERT_COMMAND: `cat >>'${dir}/heard'`, ...more };
    const options = { environment, envFile: undefined, stateDir: dir, tell: true };
    const code = await showReleases(options, { json: true, out: stream, err: stream } as never);
    return { code, ...JSON.parse(out.slice(0, out.lastIndexOf("}") + 1)) };
  }
  const heard = () => {
    try {
      return readFileSync(join(dir, "heard"), "utf8");
    } catch {
      return "";
    }
  };

  it("tells once of each that is newer, and installs nothing", async () => {
    expect(await look()).toMatchObject({ code: EXIT.ok, parts: [{ newest: null }, { is_newer: false }] });
    expect(heard()).toBe("");
    answers = { "/openclaw/latest": { version: "2099.1.1" }, "/bridge": { tag_name: "v99.0.0" } };
    const source = { BRIDGE_RELEASES_URL: `${origin}/bridge` };
    for (let times = 0; times < 2; times += 1) expect(await look(source)).toMatchObject({ code: EXIT.ok });
    expect(heard().trim().split("\n")).toEqual([
      expect.stringMatching(/release 99\.0\.0 of the bridge, and .* runs.*install\.sh/),
      expect.stringMatching(/release 2099\.1\.1 of OpenClaw; .*do not install it by itself/),
    ]);
    expect(readReleases(dir)).toMatchObject({ parts: [{ here: VERSION, newest: "99.0.0" }, { newest: "2099.1.1" }] });
    expect(new Set(asked)).toEqual(new Set(["/openclaw/latest", "/bridge"]));
  });

  it("tells again of one that nobody could be told of", async () => {
    answers = { "/openclaw/latest": { version: "2099.1.1" } };
    const refused = look({ ALERT_COMMAND: "", ALERT_WEBHOOK_URL: `${origin}/hook` });
    await expect(refused).rejects.toThrow(/ALERT_WEBHOOK_URL failed \(the answer was 404/);
    expect(await look()).toMatchObject({ code: EXIT.ok });
    expect(heard()).toContain("2099.1.1");
  });

  it.each([
    ["is in trouble", 503, /answered 503/],
    ["names no version", { hello: "there" }, /names no version/],
    ["names something else than a version", { version: "latest; rm -rf /" }, /names no version/],
  ])("says so where the registry %s, and tells nobody", async (_, answer, why) => {
    answers = { "/openclaw/latest": answer };
    const { code, parts } = await look();
    expect({ code, remark: parts[1].remark }).toEqual({ code: EXIT.no, remark: expect.stringMatching(why) });
    expect(heard()).toBe("");
  });
});
