import { stripVTControlCharacters } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { onTerminal } from "../shop/terminal.ts";
import { until } from "../until.ts";
import { BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, messageOf } from "./message.ts";

// What somebody sees who sits at a terminal: a real one, of the system, and not a stream that says it is one.

async function prepare(): Promise<BuiltSidecar> {
  const sidecar = await BuiltSidecar.prepare();
  onTestFinished(() => sidecar.close());
  return sidecar;
}

const CTRL_C = "\x03";
const CTRL_D = "\x04";

it("serve writes lines for people there (everywhere else it is JSON); and a question that is not answered is a no", async () => {
  const { env } = await prepare();
  const terminal = onTerminal(200, { BRIDGE_LOW_DISK_BYTES: "0", NO_COLOR: "1", ...env }, "serve");
  await until("it has started", () => terminal.shown.includes("sidecar started"), 20_000);
  for (const key of [CTRL_C, CTRL_D]) {
    const asking = onTerminal(200, env, "forget", ANNA);
    await until("it asks", () => asking.shown.includes("Do it? [y/N]"), 20_000);
    asking.type(key);
    expect(await asking.ended).toBe(1);
    expect(stripVTControlCharacters(asking.shown)).toMatch(/Do it\? \[y\/N\] \r?\nhotbags: nothing was done\r?\n$/);
  }
  terminal.type(CTRL_C);
  await terminal.ended;
  expect(terminal.shown).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: sidecar started .*"listen"/m);
  expect(terminal.shown).not.toMatch(/^\{/m);
});

it("no command writes a line that is wider, and nothing is cut off", async () => {
  const sidecar = await prepare();
  const store = openStore(sidecar.dir, systemClock);
  const { seq } = await store.messages.accept(messageOf("3EB0B7E8D9C0"));
  const error = "Hot Bags refuses the token: write the new one, and then hotbags config reload";
  await store.messages.dead(seq, 401, error);
  store.close();
  const shown = async (...args: string[]) => {
    const terminal = onTerminal(60, sidecar.env, ...args);
    await terminal.ended;
    return stripVTControlCharacters(terminal.shown).replaceAll("\r", "").trimEnd();
  };
  const [config = "", list = "", status = ""] = await Promise.all([
    shown("config"),
    shown("messages", "list"),
    shown("status"),
  ]);
  const lines = [config, list, status].flatMap((text) => text.split("\n"));
  expect(lines.filter((line) => line.length > 60 && /\S \S/.test(line.trim()))).toEqual([]);
  expect(config).toContain(`\nBRIDGE_STATE_DIR\n  value  ${sidecar.dir}\n  from   environment\n`);
  const at = list.indexOf("last error") - list.lastIndexOf("\n", list.indexOf("last error")) - 1;
  const errors = list.split("\n").map((line) => line.slice(at).trim());
  expect(errors.join(" ")).toContain(`last error ${error}`);
  expect(status).toContain("\n- the sidecar does not run: start it (systemctl start\n  hotbags-sidecar)\n");
});
