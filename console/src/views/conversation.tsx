import { useState } from "preact/hooks";
import type { Entry } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { FileOf } from "../parts/file.tsx";
import { Show } from "../parts/loading.tsx";
import { Pager } from "../parts/pager.tsx";
import { Pauses } from "../parts/pauses.tsx";
import { State } from "../parts/state.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { useLoad } from "../state/loading.ts";
import { linkTo, route } from "../state/route.ts";
import { texts } from "../texts/index.ts";

/** A chat as the customer has it on the phone, and what is not sure of it. */
export function Conversation({ chat }: { chat: number }) {
  const { conversation } = texts.value;
  const before = route.value.query.get("before") ?? "";
  const [isRevealed, setRevealed] = useState(false);
  // With what was said it is loaded once: each look is noted.
  const loaded = useLoad(
    `conversation ${chat} ${before} ${isRevealed}`,
    () => api.conversation(chat, { before }, isRevealed),
    isRevealed,
  );
  return (
    <>
      <p>
        <a href={linkTo("chats")}>← {conversation.back}</a>
      </p>
      <Show loaded={loaded}>
        {({ name, pauses, entries, next }) => (
          <>
            <Title>{conversation.title(name ?? texts.value.chats.forgotten)}</Title>
            <div class="row">
              <CustomersNumber chat={chat} />
              {!isRevealed && (
                <button type="button" onClick={() => setRevealed(true)}>
                  {conversation.reveal}
                </button>
              )}
              <small>{conversation.revealNote}</small>
            </div>
            <Pauses chat={chat} pauses={pauses} onTried={loaded.reload} />
            <Pager view="chats" id={chat} query={{ before }} next={next} />
            {entries.length === 0 && <p class="quiet">{conversation.none}</p>}
            <ol class="chat">
              {entries
                .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
                .map((entry) => (
                  <Bubble key={`${entry.message} ${entry.command}`} entry={entry} isRevealed={isRevealed} />
                ))}
            </ol>
          </>
        )}
      </Show>
    </>
  );
}

function Bubble({ entry, isRevealed }: { entry: Entry; isRevealed: boolean }) {
  const { conversation, message, messages } = texts.value;
  const { kind, at, message: id, state, type, text, files } = entry;
  const says = kind === "in" ? conversation.states[state] : message.commandStates[state];
  return (
    <li class={kind}>
      <p class="who">
        <strong>{kind === "in" ? conversation.in : conversation.out}</strong> <When at={at} />
      </p>
      {text === null ? (
        <p class="quiet">
          {conversation.type(type)}
          {!isRevealed && `, ${conversation.hidden}`}
        </p>
      ) : (
        <p class="said" dir="auto">
          {text}
        </p>
      )}
      {isRevealed && files.map((file) => <FileOf key={file.n} message={id} file={file} />)}
      <p class="who">
        <State state={state}>{says ?? state}</State>{" "}
        <a href={linkTo("messages", id)} aria-label={messages.openOne(id)}>
          {id}
        </a>
      </p>
    </li>
  );
}

function CustomersNumber({ chat }: { chat: number }) {
  const { conversation, page } = texts.value;
  const [number, setNumber] = useState<string | null>(null);
  if (number !== null) return <strong role="status">{number}</strong>;
  const show = () =>
    api.number(chat).then(
      (answer) => setNumber(answer.number),
      (error: Error) => setNumber(page.failed(error.message)),
    );
  return (
    <button type="button" onClick={() => void show()}>
      {conversation.showNumber}
    </button>
  );
}
