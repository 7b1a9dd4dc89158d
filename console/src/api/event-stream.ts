/** One event of a `text/event-stream`. */
export interface StreamEvent {
  event: string;
  data: string;
}

/**
 * Reads a stream of events until it ends or nothing has come for `silenceMs`: not by EventSource, to which heartbeats are
 * invisible, so that it takes a dead tunnel for a quiet shop, and which hides why it was refused.
 *
 * Calls `onOpen` with the first bytes. Rejects where it was refused, with the response, or broke.
 */
export async function readEvents(
  url: string,
  silenceMs: number,
  outside: AbortSignal,
  { onOpen, onEvent }: { onOpen(): void; onEvent(event: StreamEvent): void },
): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    const response = await fetch(url, {
      headers: { Accept: "text/event-stream" },
      cache: "no-store",
      signal: AbortSignal.any([outside, silence.signal]),
    });
    if (!response.ok || response.body === null) throw response;
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silenceMs);
      const blocks = (rest + step.value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parse(block);
        if (event !== null) onEvent(event);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Null: a comment, such as a heartbeat. */
function parse(block: string): StreamEvent | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trim());
  }
  return data.length > 0 ? { event, data: data.join("\n") } : null;
}
