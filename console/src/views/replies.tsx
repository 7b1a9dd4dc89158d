import { api } from "../api/client.ts";
import { Foreign } from "../parts/foreign.tsx";
import { Show } from "../parts/loading.tsx";
import { Pager } from "../parts/pager.tsx";
import { Resolve } from "../parts/resolve.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { useLoad } from "../state/loading.ts";
import { linkTo, route } from "../state/route.ts";
import { texts } from "../texts/index.ts";

/** Replies of Hot Bags that somebody has to judge, or that were never sent. */
export function Replies() {
  const { replies, messages, message } = texts.value;
  const state = route.value.query.get("state") === "failed" ? "failed" : "in_doubt";
  const before = route.value.query.get("before") ?? "";
  const key = `replies ${state} ${before}`;
  const loaded = useLoad(key, () => api.commands({ state, ...(before !== "" && { before }) }));
  return (
    <>
      <Title>{replies.title[state]}</Title>
      <Show loaded={loaded}>
        {({ commands, next }) => (
          <>
            {commands.length === 0 && <p class="quiet">{replies.none}</p>}
            <ul class="cards">
              {commands.map(({ id, message: its, chat_id, created_at, reason, type }) => (
                <li key={id}>
                  <strong>{message.command(type)}</strong>, {chat_id}, <When at={created_at} />:{" "}
                  <a href={linkTo("messages", its)}>{messages.openOne(its)}</a>
                  {reason !== null && (
                    <p>
                      <Foreign>{reason}</Foreign>
                    </p>
                  )}
                  {state === "in_doubt" && <Resolve command={id} onTried={loaded.reload} />}
                </li>
              ))}
            </ul>
            <Pager view="replies" query={{ state, before }} next={next} />
          </>
        )}
      </Show>
    </>
  );
}
