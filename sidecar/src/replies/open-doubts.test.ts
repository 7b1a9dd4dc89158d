import { expect, it } from "vitest";
import { MAX_OPEN_DOUBTS, OpenDoubts } from "./open-doubts.ts";

const command = (id: number, chat: number) => ({
  id,
  chat,
  seq: id,
  command_id: `c${id}`,
  message_id: `m${id}`,
  account_id: "default",
  chat_id: "+15550001000",
  type: "send_text",
  text: "was it sent?",
  details: null,
  outbound: null,
  sending_at: 1,
  sending_boot_ms: 1,
  gateway_process: "boot-1",
  asked_process: null,
  alarmed_at: null,
});

it("remembers a bounded number of doubts, and forgets the oldest one first", () => {
  const doubts = new OpenDoubts();
  const [first] = Array.from({ length: MAX_OPEN_DOUBTS }, (_, id) => doubts.add(command(id, id % 2)));
  expect(first && doubts.has(first)).toBe(true);
  doubts.add(command(MAX_OPEN_DOUBTS, 7));
  expect(first && doubts.has(first)).toBe(false);
  expect(doubts.all).toHaveLength(MAX_OPEN_DOUBTS);
  expect([0, 1, 7].map((chat) => doubts.of(chat).length)).toEqual([499, 500, 1]);
  expect(doubts.of(0)[0]?.id).toBe(2);
});
