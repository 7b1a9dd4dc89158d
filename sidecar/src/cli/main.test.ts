import { expect, it, onTestFinished, vi } from "vitest";
import { main } from "./main.ts";

/** Runs a command line in this process, where neither a sidecar nor a database is. */
async function run(...args: string[]) {
  const said = { out: "", err: "" };
  const hear = (name: "out" | "err") => (text: unknown) => {
    said[name] += text;
    return true;
  };
  const out = vi.spyOn(process.stdout, "write").mockImplementation(hear("out"));
  const err = vi.spyOn(process.stderr, "write").mockImplementation(hear("err"));
  // yargs writes its help by it.
  const log = vi.spyOn(console, "log").mockImplementation(hear("out"));
  const restore = () => [out, err, log].map((spy) => spy.mockRestore());
  onTestFinished(() => void restore());
  const code = await main(args, { BRIDGE_STATE_DIR: "/nowhere/at/all", SHELL: "/bin/bash" });
  restore();
  return { code, ...said };
}

it.each([
  [["messages", "list", "--state", "lost"], /^hotbags: --state: must be some of pending, detached/],
  [["messages", "list", "--state", "parked"], /openclaw hotbags parked list/],
  [["commands", "list", "--state", "sent,lost"], /^hotbags: --state: must be some of pending, sending/],
  [["messages", "list", "--since", "soon"], /^hotbags: "soon" is no time: write 2h/],
  [["messages", "list", "--chat", "Anna"], /^hotbags: --chat: must be an E.164 number/],
  [["messages", "retry", "--dead-since", "soon"], /^hotbags: "soon" is no time/],
  [["tail", "--chat", "Anna"], /^hotbags: --chat: /],
  [["pair-check", "--from", "12"], /^hotbags: --from: must be a phone number in E.164/],
  [["pair-check", "--for", "long"], /^hotbags: "long" is no time: write 30m/],
  [["chats", "pause", "Anna"], /^hotbags: the chat: /],
  [["chats", "pause", "+15550001001", "--for", "0s"], /^hotbags: --for: must be longer than nothing/],
  [["chats", "pause", "+15550001001", "--for", "8d"], /^hotbags: a chat is paused for 7d at most/],
  [["forget", "Anna"], /^hotbags: the number: /],
  [["bogus"], /^hotbags: there is no command bogus; see hotbags --help/],
  [["massages"], /Did you mean messages\?/],
  [["status", "--jsn"], /^hotbags: there is no option --jsn; see hotbags status --help/],
  [["status", "now"], /^hotbags: now is an argument too many; see hotbags status --help/],
  [["completion", "tcsh"], /^hotbags: there is no completion for tcsh/],
])("a wrong command line is said before anybody is asked: %j", async (args, err) => {
  expect(await run(...args)).toEqual({ code: 2, out: "", err: expect.stringMatching(err) });
});

it.each([[["status"]], [["messages", "list"]], [["backup"]], [["chats", "resume", "+15550001001"]]])(
  "where there is neither a sidecar nor a database, nobody can be asked: %j",
  async (args) => {
    expect(await run(...args)).toMatchObject({ code: 3, out: "" });
  },
);

it("completion has a help, which says for each shell what to do with the script of which", async () => {
  const { out } = await run("completion", "--help");
  for (const shell of ["bash", "zsh", "fish"]) {
    expect(out).toContain(`hotbags completion ${shell} >`);
    expect((await run("completion", shell)).out, shell).toContain("end-hotbags-completions");
  }
  expect(out).not.toContain("###");
});

it("the version is JSON for a script, and an option of the whole command alone", async () => {
  expect(JSON.parse((await run("version", "--json")).out)).toEqual({ version: expect.stringMatching(/^\d/) });
  expect((await run("--help")).out).toContain("--version");
  expect((await run("status", "--help")).out).not.toContain("--version");
});
