import { createHash } from "node:crypto";
import { examples } from "@hotbags/contract";
import { count, MAX_BODY_BYTES, type RequestBody } from "@hotbags/shared";
import { type Check, fail, pass, wrong } from "./check.ts";
import { isTaken } from "./context.ts";

// What a backend must be able to read.

/** WhatsApp's limit, in UTF-16 units. */
const LONGEST_TEXT = 65_536;

/** What has broken backends: beyond the BMP, joined, right to left, what JSON and SQL escape, and U+FFFD. */
const ODD = "👩‍👩‍👧 e\u0301 مرحبا \u202e \u2028 \"'\\ %_$1 <b>&amp; \ufffd\t\r\n";

const kinds = Object.entries(examples).map(
  ([name, example]): Check => ({
    name: `kind-${name}`,
    rule: `the message of docs/contract/${name}.json is taken`,
    needs: ["taken"],
    async run(context) {
      const posted = await context.post(context.message(`kind-${name}`, example));
      return isTaken(posted) ? pass(`answered ${posted.status}`) : wrong(posted);
    },
  }),
);

const longText: Check = {
  name: "long-text",
  rule: `a text of ${LONGEST_TEXT} characters of every sort is taken`,
  needs: ["taken"],
  async run(context) {
    const message = context.message("long-text");
    const text = `${message.text} ${ODD.repeat(LONGEST_TEXT / ODD.length + 1)}`.slice(0, LONGEST_TEXT).toWellFormed();
    const posted = await context.post({ ...message, text });
    return isTaken(posted) ? pass(`answered ${posted.status}`) : wrong(posted);
  },
};

const size: Check = {
  name: "size",
  rule: `a body of ${MAX_BODY_BYTES} bytes is taken, the largest that there is`,
  needs: ["taken"],
  async run(context) {
    const posted = await context.post(largest(context.message("size")));
    if (isTaken(posted)) return pass(`answered ${posted.status} in ${posted.durationMs} ms`);
    return wrong(posted);
  },
};

/** With a file that leaves just room for the rest of it. */
function largest(message: RequestBody): RequestBody {
  const bytes = Buffer.alloc(MAX_BODY_BYTES * 0.7);
  const file = { type: "document", mime_type: "application/octet-stream", file_name: "contract-check.bin" } as const;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const media = [{ ...file, size_bytes: bytes.length, sha256, data_base64: bytes.toString("base64") }];
  const large = { ...message, media, raw: { ...message.raw, _padding: "" } };
  const missing = MAX_BODY_BYTES - Buffer.byteLength(JSON.stringify(large));
  return { ...large, raw: { ...large.raw, _padding: "x".repeat(missing) } };
}

const compressed: Check = {
  name: "compressed",
  rule: "an answer can be read that is compressed",
  needs: ["taken"],
  async run(context) {
    const posted = await context.post(context.message("compressed"), { acceptEncoding: "gzip, deflate, br, zstd" });
    const { outcome, encoding } = posted;
    if (!isTaken(posted)) return wrong(posted);
    if (encoding === null) return pass("it compresses nothing");
    if (outcome.kind === "answered") return pass(`read, in ${encoding}`);
    return fail(outcome.symptom.seen, `let Content-Encoding say what the body is in; it says ${encoding}`);
  },
};

const answer: Check = {
  name: "answer",
  rule: "each 2xx is a JSON object whose commands are valid",
  needs: ["taken"],
  async run(context) {
    let commands = 0;
    for (const [key, answers] of context.taken)
      for (const posted of answers) {
        const { outcome } = posted;
        // What is only wrong once it is compressed has a check of its own.
        if (outcome.kind === "failed") {
          if (key.endsWith("-compressed")) continue;
          const { seen, ...verdict } = wrong(posted);
          return { ...verdict, seen: `${key}: ${seen}` };
        }
        const refused = outcome.commands.find(({ refusal }) => refusal !== null);
        if (refused?.refusal)
          return fail(
            `${key}: a command would be ${refused.refusal.state === "failed" ? "refused" : refused.refusal.state}: ${refused.refusal.reason}`,
            "see docs/contract for what a command may be",
          );
        commands += outcome.commands.length;
      }
    return pass(`${count(context.taken.size, "message")}, ${count(commands, "command")}, all valid`);
  },
};

const time: Check = {
  name: "time",
  rule: "an answer comes before a customer gives up; a cold start too",
  needs: ["taken"],
  async run({ durations, slowMs }) {
    const [first, ...warm] = durations;
    const sorted = warm.toSorted((a, b) => a.ms - b.ms);
    const [cold, middle, slowest] = [first?.ms ?? 0, sorted[sorted.length >> 1]?.ms ?? 0, sorted.at(-1)];
    const most = slowest ? `, ${slowest.ms} ms at most (${slowest.key})` : "";
    const seen = `the first ${cold} ms, then ${middle} ms in the middle${most}`;
    if (Math.max(cold, slowest?.ms ?? 0) <= slowMs) return pass(seen);
    const todo = "answer at once and do the slow work later, or raise --slow-ms if customers may wait";
    return fail(`${seen}: more than ${slowMs} ms`, todo);
  },
};

export const MESSAGE_CHECKS: readonly Check[] = [...kinds, longText, size, compressed];
/** To be run when all others have sent what they send. */
export const LATE_MESSAGE_CHECKS: readonly Check[] = [answer, time];
