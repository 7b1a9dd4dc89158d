import { useState } from "preact/hooks";
import type { ConversationFile } from "../api/answers.ts";
import { fileUrl } from "../api/client.ts";
import { showSize, texts } from "../texts/index.ts";

/** A file of a message: a picture small, and only when somebody asks for it. */
export function FileOf({ message, file: { n, type, bytes, name } }: { message: number; file: ConversationFile }) {
  const { message: says } = texts.value;
  const [shown, setShown] = useState<"no" | "yes" | "failed">("no");
  const facts = [name, type, bytes === null ? null : showSize(bytes)].filter((fact) => fact !== null);
  return (
    <figure class="file">
      {shown === "yes" && (
        <img src={fileUrl(message, n)} alt={says.picture(n + 1)} onError={() => setShown("failed")} />
      )}
      <figcaption>
        {says.file(n + 1)}: {facts.join(", ")}
      </figcaption>
      {shown === "no" && type?.startsWith("image/") && (
        <button type="button" onClick={() => setShown("yes")}>
          {says.showPicture}
        </button>
      )}
      {shown === "failed" && <p class="problem">{says.noPicture}</p>}
    </figure>
  );
}
