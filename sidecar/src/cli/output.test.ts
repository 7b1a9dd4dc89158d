import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { commandColumns } from "./commands.ts";
import { type Output, writeTable } from "./output.ts";

type Row = Parameters<ReturnType<typeof commandColumns>[number]["cell"]>[0];

const ROW: Row = {
  ...{ id: 12, command_id: "order-17-reply-1", message: 7, message_id: "3EB0A1F2C4D5", account_id: "default" },
  ...{ chat_id: "+15550001001", type: "send_text", state: "in_doubt", whatsapp_message_id: null, is_partial: false },
  ...{ created_at: "2026-03-02T03:12:40Z", sending_at: "2026-03-02T03:12:40Z", settled_at: null },
  reason: "the gateway ended while it was being sent",
};

/** What a window of this width shows, or a pipe. */
function shown(columns: number | undefined): { lines: string[]; said: string } {
  const stream = () => Object.assign(new PassThrough(), { isTTY: columns !== undefined, columns });
  const [out, err] = [stream(), stream()];
  const output = { json: false, out, err } as unknown as Output;
  writeTable(output, commandColumns(true), [ROW]);
  const read = (from: PassThrough) => stripVTControlCharacters(String(from.read() ?? ""));
  return { lines: read(out).trimEnd().split("\n"), said: read(err) };
}

it.each([60, 80, 100])(
  "a window of %i columns shows whole lines of what matters most, and says what it leaves out",
  (width) => {
    const { lines, said } = shown(width);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
    for (const cell of ["12", "in_doubt", "+15550001001", "the gateway"]) expect(lines[1]).toContain(cell);
    expect(lines[0]).not.toContain("account");
    expect(said).toMatch(/^Not shown, for the window is narrow: .*account/);
  },
);

it("a pipe and a wide window get all of it", () => {
  for (const width of [undefined, 200]) {
    const { lines, said } = shown(width);
    expect(lines[1]).toMatch(/12 .*in_doubt .*default .*order-17-reply-1 .*the gateway ended while it was being sent$/);
    expect(said).toBe("");
  }
});
