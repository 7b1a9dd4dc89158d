import { api } from "../api/client.ts";
import { useLoad } from "../state/loading.ts";
import { texts } from "../texts/index.ts";
import { FileOf } from "./file.tsx";
import { Show } from "./loading.tsx";

/** What was said in a message and answered to it. It is text here, whatever is in it: never markup. */
export function MessageContent({ id }: { id: number }) {
  const { message } = texts.value;
  const loaded = useLoad(`content ${id}`, () => api.message(id, true), true);
  return (
    <Show loaded={loaded}>
      {({ request, response }) => {
        const said = readRequest(request);
        return (
          <>
            <p class="quiet">{message.revealed}</p>
            {said === null ? (
              <p>{message.forgotten}</p>
            ) : (
              <>
                <blockquote dir="auto">{said.text === "" ? <i>{message.noText}</i> : said.text}</blockquote>
                {said.media.map((file, n) => (
                  <FileOf key={n} message={id} file={{ ...file, n }} />
                ))}
              </>
            )}
            <Json title={message.request} value={request} />
            <Json title={message.response} value={response} />
          </>
        );
      }}
    </Show>
  );
}

function Json({ title, value }: { title: string; value: unknown }) {
  if (value === undefined || value === null) return null;
  return (
    <details>
      <summary>{title}</summary>
      <pre>{JSON.stringify(value, null, 2)}</pre>
    </details>
  );
}

interface Media {
  type: string | null;
  bytes: number | null;
  name: string | null;
}

/** Of what went to Hot Bags (docs/contract). Null: it is forgotten, or can't be read. */
function readRequest(request: unknown): { text: string; media: Media[] } | null {
  if (typeof request !== "object" || request === null) return null;
  const { text, media } = request as { text?: unknown; media?: unknown };
  return {
    text: typeof text === "string" ? text : "",
    media: Array.isArray(media) ? media.map(readMedia) : [],
  };
}

function readMedia(item: unknown): Media {
  const { mime_type, size_bytes, file_name } = (item ?? {}) as Record<string, unknown>;
  return {
    type: typeof mime_type === "string" ? mime_type : null,
    bytes: typeof size_bytes === "number" ? size_bytes : null,
    name: typeof file_name === "string" ? file_name : null,
  };
}
