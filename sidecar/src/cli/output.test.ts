import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { commandColumns } from "./commands.ts";
import { type Column, type Output, say, writeFacts, writeTable, writeText } from "./output.ts";

type Row = Parameters<ReturnType<typeof commandColumns>[number]["cell"]>[0];

const ROW: Row = {
  ...{ id: 12, command_id: "order-17-reply-1", message: 7, chat: 1, message_id: "3EB0A1F2C4D5", account_id: "default" },
  ...{ chat_id: "+15550001001", type: "send_text", state: "in_doubt", whatsapp_message_id: null, is_partial: false },
  ...{ created_at: "2026-03-02T03:12:40Z", sending_at: "2026-03-02T03:12:40Z", settled_at: null },
  reason: "the gateway ended while it was being sent",
};

/** What a window of this width shows, or a pipe. */
function shown(columns: number | undefined, write: (output: Output) => void): { lines: string[]; said: string } {
  const stream = () => Object.assign(new PassThrough(), { isTTY: columns !== undefined, columns });
  const [out, err] = [stream(), stream()];
  write({ json: false, out, err } as unknown as Output);
  const read = (from: PassThrough) => stripVTControlCharacters(String(from.read() ?? ""));
  return { lines: read(out).trimEnd().split("\n"), said: read(err) };
}

const commands = (output: Output) => writeTable(output, commandColumns(true), [ROW]);

it.each([60, 80, 100])(
  "a window of %i columns shows whole lines of what matters most, and says what it leaves out",
  (width) => {
    const { lines, said } = shown(width, commands);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
    for (const cell of ["12", "in_doubt", "+15550001001", "the gateway"]) expect(lines[1]).toContain(cell);
    expect(lines.slice(1).map((line) => line.slice(lines[0]?.indexOf("reason")).trim())).toSatisfy(
      (parts: string[]) => parts.join(" ") === ROW.reason,
    );
    expect(lines[0]).not.toContain("account");
    expect(said).toMatch(/^Not shown, for the window is narrow: [^.]*account/);
  },
);

it("a column with nothing in it goes before any other does, without a word", () => {
  const { lines, said } = shown(118, (output) => writeTable(output, commandColumns(true), [{ ...ROW, reason: null }]));
  expect(lines[0]).toMatch(/type .*command_id$/);
  expect(said).toBe("");
});

// `script`, and a terminal over a serial line, do not know how wide they are, and say 0.
it.each([undefined, 200, 0])("a pipe, a wide window and one of unknown width (%s) get all of it", (width) => {
  const { lines, said } = shown(width, commands);
  expect(lines[1]).toMatch(/12 .*in_doubt .*default .*order-17-reply-1 .*the gateway ended while it was being sent$/);
  expect(said).toBe("");
});

interface Fact {
  name: string;
  value: string;
  from: string;
}
const FACTS: Fact[] = [
  { name: "HOTBAGS_BEARER_TOKEN_PREVIOUS", value: "https://shop.example/a/b", from: "file /etc/hotbags/sidecar.env" },
  { name: "ALERT_COMMAND", value: "", from: "" },
];
const FACT_COLUMNS: Column<Fact>[] = [
  { title: "setting", cell: ({ name }) => name },
  { title: "value", cell: ({ value }) => value },
  { title: "from", cell: ({ from }) => from },
];

it("a table of which no column can be spared has a block for each row, where the window is too narrow", () => {
  const { lines, said } = shown(60, (output) => writeTable(output, FACT_COLUMNS, FACTS));
  expect(lines).toEqual([
    "HOTBAGS_BEARER_TOKEN_PREVIOUS",
    "  value  https://shop.example/a/b",
    "  from   file /etc/hotbags/sidecar.env",
    "ALERT_COMMAND",
  ]);
  expect(said).toBe("");
});

const SENTENCE = "Hot Bags refuses the token since 03:12: write the new one, and then hotbags config reload.";

it("sentences are broken between words at the window's width, and lines that belong to one are indented like it", () => {
  const { lines, said } = shown(40, (output) => {
    writeText(output, `- ${SENTENCE}`);
    writeFacts(output, [["state", SENTENCE]]);
    say(output, `    openclaw login\n\n${SENTENCE}`);
  });
  expect(lines).toEqual([
    "- Hot Bags refuses the token since",
    "  03:12: write the new one, and then",
    "  hotbags config reload.",
    "state  Hot Bags refuses the token since",
    "       03:12: write the new one, and",
    "       then hotbags config reload.",
  ]);
  expect(said.split("\n").slice(0, 3)).toEqual(["    openclaw login", "", "Hot Bags refuses the token since 03:12:"]);
});

it("a word that is longer than the window, such as a path to be copied, stays whole; a pipe gets whole lines", () => {
  const path = `/var/lib/hotbags/${"x".repeat(60)}`;
  expect(shown(40, (output) => writeText(output, `see ${path} there`)).lines).toEqual(["see", path, "there"]);
  expect(shown(undefined, (output) => writeText(output, SENTENCE)).lines).toEqual([SENTENCE]);
});

it("a customer who was forgotten has no long key for a number", () => {
  const key = `forgotten:${"0a".repeat(32)}`;
  const rows = [{ ...ROW, chat_id: `${key}:1`, command_id: key }];
  const { lines } = shown(undefined, (output) => writeTable(output, commandColumns(true), rows));
  expect(lines[1]).toMatch(/ {2}forgotten {2,}7 +forgotten {2}/);
});
