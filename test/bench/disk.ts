import { systemClock } from "../../sidecar/src/clock.ts";
import { viewStore } from "../../sidecar/src/store/index.ts";
import { CONTENDERS, Contender, type Name } from "./contender.ts";
import { FarEnds } from "./far-ends.ts";
import { checkLedger, type Flow, flow, singles } from "./flow.ts";
import { median, quantile, table } from "./report.ts";

/** What each flush of the disk takes longer, ms: as it is, a virtual disk, a hard disk. */
const FLUSH_MS = [0, 2, 10];
const NAMES: Name[] = ["group", "thread", "sidecar"];

interface Sizes {
  chats: number;
  each: number;
  warmUp: number;
  oneChat: number;
  singles: number;
}

interface Figures {
  many: Flow;
  one: Flow;
  post: number[];
  send: number[];
}

const LINES: [string, (figures: Figures) => number, number][] = [
  ["messages/s, to the last reply", ({ many }) => many.messagesPerSecond, 0],
  ["accepted (acked)/s in the same run", ({ many }) => many.acceptedPerSecond, 0],
  ["CPU of the process, us a message", ({ many }) => many.cpuUs, 0],
  ["one chat: messages/s", ({ one }) => one.messagesPerSecond, 0],
  ["one at a time: link to POST, ms, p50", ({ post }) => quantile(post, 0.5), 1],
  ["link to `send`, ms, p50", ({ send }) => quantile(send, 0.5), 1],
];

async function run(name: Name, flushMs: number, ends: FarEnds, size: Sizes): Promise<Figures> {
  const contender = await Contender.begin(name, ends, { flushMs });
  try {
    await flow(contender, ends, size.chats, size.warmUp);
    const many = await flow(contender, ends, size.chats, size.each);
    const one = await flow(contender, ends, 1, size.oneChat);
    const { post, send } = await singles(contender, ends, size.singles);
    await contender.stop();
    const messages = size.chats * (size.warmUp + size.each) + size.oneChat + size.singles;
    if (name === "sidecar") await checkLedger(viewStore(contender.folder, systemClock), messages);
    return { many, one, post, send };
  } finally {
    await contender.close();
  }
}

/** Sidecar and prototypes on a disk that takes its time, as Markdown. Needs `strace`, which holds back each flush. */
export async function diskTable(size: Sizes & { rounds: number }, say: (line: string) => void): Promise<string> {
  const columns = FLUSH_MS.flatMap((ms) => NAMES.map((name) => ({ ms, name, rounds: [] as Figures[] })));
  const ends = await FarEnds.start();
  try {
    for (let round = 0; round < size.rounds; round += 1)
      for (const { ms, name, rounds } of round % 2 === 0 ? columns : columns.toReversed()) {
        rounds.push(await run(name, ms, ends, size));
        const rate = rounds.at(-1)?.many.messagesPerSecond.toFixed(0);
        say(`round ${round + 1} of ${size.rounds}: ${CONTENDERS[name]}, +${ms} ms: ${rate} messages/s`);
      }
  } finally {
    await ends.close();
  }
  const cell = (ms: number, name: Name, of: (figures: Figures) => number, digits: number) =>
    median(columns.find((column) => column.ms === ms && column.name === name)?.rounds.map(of) ?? []).toFixed(digits);
  const rows = LINES.flatMap(([title, of, digits]) =>
    FLUSH_MS.map((ms) => [`${title}, +${ms} ms`, ...NAMES.map((name) => cell(ms, name, of, digits))]),
  );
  const what = `${size.chats} chats x ${size.each}, one chat with ${size.oneChat}, ${size.singles} one at a time`;
  const head = `${what}; ${size.rounds} round${size.rounds === 1 ? "" : "s, the middle one of each figure"}.`;
  return `${head}\n\n${table([["", ...NAMES.map((name) => CONTENDERS[name])], ...rows])}\n`;
}
