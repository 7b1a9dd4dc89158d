import { CONTENDERS, Contender, type Name } from "./contender.ts";
import { FarEnds } from "./far-ends.ts";
import { checkLedger, type Flow, flow, singles } from "./flow.ts";
import { median, quantile } from "./report.ts";

/** What each flush of the disk takes longer, ms: as it is, a virtual disk, a hard disk. */
const FLUSH_MS = [0, 2, 10];
const NAMES: Name[] = ["group", "thread", "sidecar"];

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

/** Sidecar and prototypes on a disk that takes its time, as Markdown. Needs `strace`, which holds back each flush. */
export async function diskTable(
  size: { chats: number; each: number; warmUp: number; oneChat: number; singles: number; rounds: number },
  say: (line: string) => void,
): Promise<string> {
  const ends = await FarEnds.start();
  const columns = FLUSH_MS.flatMap((ms) => NAMES.map((name) => ({ ms, name, rounds: [] as Figures[] })));
  for (let round = 0; round < size.rounds; round += 1)
    for (const { ms, name, rounds } of round % 2 === 0 ? columns : columns.toReversed()) {
      const contender = await Contender.begin(name, ends, ms);
      try {
        await flow(contender, ends, size.chats, size.warmUp);
        const many = await flow(contender, ends, size.chats, size.each);
        const one = await flow(contender, ends, 1, size.oneChat);
        rounds.push({ many, one, ...(await singles(contender, ends, size.singles)) });
        say(`${CONTENDERS[name]}, +${ms} ms: ${many.messagesPerSecond.toFixed(0)} messages/s`);
        await contender.stop();
        const messages = size.chats * (size.warmUp + size.each) + size.oneChat + size.singles;
        if (name === "sidecar") await checkLedger(contender.folder, messages);
      } finally {
        await contender.close();
      }
    }
  await ends.close();
  const header = ["", ...columns.map(({ ms, name }) => `${CONTENDERS[name]}, +${ms} ms`)];
  const rows = LINES.map(([title, of, digits]) => [
    title,
    ...columns.map(({ rounds }) => median(rounds.map(of)).toFixed(digits)),
  ]);
  const what = `${size.chats} chats x ${size.each}, one chat with ${size.oneChat}, ${size.singles} one at a time`;
  const head = `${what}; ${size.rounds} round${size.rounds === 1 ? "" : "s, the middle one of each figure"}.`;
  return `${head}\n\n${[header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}
