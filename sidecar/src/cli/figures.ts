import type { Output as Answer } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import {
  type Cell,
  type Column,
  count,
  duration,
  type Output,
  say,
  shortTime,
  writeFacts,
  writeJson,
  writeTable,
} from "./output.ts";

type Figures = Answer<"figures">;
export type Total = NonNullable<Figures["total"]>;

const HOPS: { hop: keyof Total["hops"]; name: string }[] = [
  { hop: "capture", name: "from the customer to the sidecar" },
  { hop: "hotbags", name: "Hot Bags' answer" },
  { hop: "reply", name: "from that to the reply" },
  { hop: "whole", name: "from the customer to the reply" },
];

/** `hotbags figures`. */
export async function showFigures(operator: Operator, range: Range, output: Output): Promise<number> {
  const figures = await operator.ask("figures", { range });
  if (output.json) writeJson(output, figures);
  else draw(figures, range, output);
  return EXIT.ok;
}

type Range = "hour" | "day" | "week" | "month";

function draw({ from, step_s, messages_in, total }: Figures, range: Range, output: Output): void {
  if (total === null)
    return say(output, `Nothing is known of the last ${range}: the sidecar did not run, or was just started.`);
  const known = messages_in.filter((value) => value !== null).length;
  const failures = Object.entries(total.failures).sort(([, a], [, b]) => b - a);
  const facts: [string, Cell][] = [
    ["since", shortTime(from)],
    [
      "known",
      known === messages_in.length
        ? null
        : `${known} of ${messages_in.length} times ${duration(step_s * 1_000)}: in the others the sidecar did not run`,
    ],
    ["messages in", total.messages_in],
    ["replies out", total.replies_out],
    [
      "waited",
      `at most ${count(total.waiting, "message")} for Hot Bags, ${count(total.replies_waiting, "reply", "replies")} for WhatsApp`,
    ],
    ["failures", failures.length === 0 ? 0 : failures.map(([kind, times]) => `${kind} ${times}`).join(", ")],
  ];
  writeFacts(output, facts);
  const columns: Column<(typeof HOPS)[number]>[] = [
    { title: "took", cell: ({ hop }) => hop },
    { title: "half within", cell: ({ hop }) => within(total.hops[hop].p50_ms) },
    { title: "95 % within", cell: ({ hop }) => within(total.hops[hop].p95_ms) },
    { title: "what", cell: ({ name }) => name },
  ];
  output.out.write("\n");
  writeTable(output, columns, HOPS);
}

function within(ms: number | null): string {
  return ms === null ? "" : duration(ms);
}

/** One line of it, for `hotbags status`. */
export function describeTotal({ messages_in, replies_out, hops: { whole } }: Total): string {
  const passed = `${count(messages_in, "message")} in, ${count(replies_out, "reply", "replies")} out`;
  if (whole.p50_ms === null || whole.p95_ms === null) return passed;
  return `${passed}; half were answered within ${duration(whole.p50_ms)}, 95 % within ${duration(whole.p95_ms)}`;
}
