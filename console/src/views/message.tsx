import { useState } from "preact/hooks";
import type { WholeMessage } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { Act, mustBeDone } from "../parts/act.tsx";
import { Show } from "../parts/loading.tsx";
import { MessageContent } from "../parts/message-content.tsx";
import { State } from "../parts/state.tsx";
import { Timeline } from "../parts/timeline.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { useLoad } from "../state/loading.ts";
import { linkTo } from "../state/route.ts";
import { canAct } from "../state/session.ts";
import { texts } from "../texts/index.ts";

/** The whole life of one message. */
export function Message({ id }: { id: number }) {
  const { message, messages } = texts.value;
  const loaded = useLoad(`message ${id}`, () => api.message(id, false));
  return (
    <>
      <p>
        <a href={linkTo("messages")}>← {message.back}</a>
      </p>
      <Title>{message.title(id)}</Title>
      <Show loaded={loaded}>
        {(whole) => (
          <>
            <dl class="facts">
              <dt>{messages.state}</dt>
              <dd>
                <State state={whole.state}>{messages.states[whole.state]}</State>
              </dd>
              <dt>{messages.customer}</dt>
              <dd>
                <a href={linkTo("chats", whole.chat)}>{whole.chat_id}</a>
              </dd>
              <dt>{messages.account}</dt>
              <dd>{whole.account_id}</dd>
              <dt>{messages.received}</dt>
              <dd>
                <When at={whole.received_at} />
              </dd>
              <dt>{message.id}</dt>
              <dd>
                <code>{whole.message_id}</code>
              </dd>
            </dl>
            {whole.state === "dead" && canAct.value && <Repairs id={id} onTried={loaded.reload} />}
            <section>
              <h2>{message.timeline}</h2>
              <Timeline whole={whole} onTried={loaded.reload} />
            </section>
            <Content whole={whole} />
          </>
        )}
      </Show>
    </>
  );
}

function Repairs({ id, onTried }: { id: number; onTried: () => void }) {
  const { act } = texts.value;
  return (
    <div class="row">
      <Act
        label={act.retry}
        title={act.retryTitle(id)}
        says={act.retrySays}
        act={async () => {
          mustBeDone((await api.retry([id])).results[0]);
          return act.retryDone(id);
        }}
        onTried={onTried}
      />
      <Act
        label={act.discard}
        title={act.discardTitle(id)}
        says={act.discardSays}
        isDangerous
        act={async () => {
          mustBeDone((await api.discard([id])).results[0]);
          return act.discardDone(id);
        }}
        onTried={onTried}
      />
    </div>
  );
}

/** Hidden until somebody asks, once: what happens meanwhile does not look again. */
function Content({ whole: { id } }: { whole: WholeMessage }) {
  const { message } = texts.value;
  const [isRevealed, setRevealed] = useState(false);
  return (
    <section>
      <h2>{message.content}</h2>
      {isRevealed ? (
        <MessageContent id={id} />
      ) : (
        <p>
          <button type="button" onClick={() => setRevealed(true)}>
            {message.reveal}
          </button>{" "}
          <small>{message.revealNote}</small>
        </p>
      )}
    </section>
  );
}
