import type { MessageState, Messages as Page } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { Foreign } from "../parts/foreign.tsx";
import { Show } from "../parts/loading.tsx";
import { MessageFilter } from "../parts/message-filter.tsx";
import { Pager } from "../parts/pager.tsx";
import { RetryDead } from "../parts/retry-dead.tsx";
import { State } from "../parts/state.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { isNumber, numberOf } from "../state/customers-number.ts";
import { useLoad } from "../state/loading.ts";
import { type Filter, readFilter, SPANS, type Span } from "../state/message-filter.ts";
import { linkTo, route } from "../state/route.ts";
import { canAct } from "../state/session.ts";
import { texts } from "../texts/index.ts";

/** Pages that are asked for at once where none of their rows fits: the sidecar looks at 2,000 rows for each. */
const MAX_PAGES = 5;

/** Of what is no number; nobody is asked. */
const NONE = Promise.resolve<Page>({ messages: [], next: null, unreadable: [] });

export function Messages() {
  const { messages } = texts.value;
  const filter = readFilter(route.value.query);
  const key = JSON.stringify(filter);
  const isNone = isLikeNumber(filter.search) && !isNumber(numberOf(filter.search));
  const loaded = useLoad(`messages ${key}`, () => (isNone ? NONE : load(filter)));
  return (
    <>
      <Title>{messages.title}</Title>
      <MessageFilter key={key} filter={filter} />
      {isNone && <p class="problem">{texts.value.page.noNumber}</p>}
      {filter.state === "dead" && canAct.value && <RetryDead onTried={loaded.reload} />}
      <Show loaded={loaded}>
        {(page) => (
          <>
            {page.messages.length > 0 ? (
              <Table page={page} />
            ) : (
              !isNone && <p class="quiet">{page.next === null ? messages.none : messages.noneYet}</p>
            )}
            {page.unreadable.length > 0 && <p class="problem">{messages.unreadable(page.unreadable.length)}</p>}
            <Pager view="messages" query={{ ...filter }} next={page.next} />
          </>
        )}
      </Show>
    </>
  );
}

async function load({ state, account, span, search, before }: Filter): Promise<Page> {
  const since = span in SPANS ? new Date(Date.now() - SPANS[span as Span]).toISOString() : "";
  const asked = {
    ...(state !== "" && { state }),
    ...(account !== "" && { account_id: account }),
    ...(since !== "" && { since }),
    ...(search !== "" && (isLikeNumber(search) ? { chat: numberOf(search) } : { message_id: search })),
  };
  let page = await api.messages({ ...asked, ...(before !== "" && { before }) });
  for (let n = 1; n < MAX_PAGES && page.messages.length === 0 && page.next !== null; n++)
    page = await api.messages({ ...asked, before: String(page.next) });
  return page;
}

/** An id of WhatsApp has letters. */
function isLikeNumber(search: string): boolean {
  return /^\+?[\d\s()/.-]{6,}$/.test(search) || search.endsWith("@g.us");
}

function Table({ page }: { page: Page }) {
  const { messages } = texts.value;
  return (
    <div class="scroll">
      <table class="stacked">
        <caption class="hidden">{messages.title}</caption>
        <thead>
          <tr>
            <th scope="col">{messages.number}</th>
            <th scope="col">{messages.received}</th>
            <th scope="col">{messages.customer}</th>
            <th scope="col">{messages.state}</th>
            <th scope="col">{messages.attempts}</th>
            <th scope="col">{messages.note}</th>
          </tr>
        </thead>
        <tbody>
          {page.messages.map((one) => (
            <tr key={one.id}>
              <th scope="row">
                <a href={linkTo("messages", one.id)} aria-label={messages.openOne(one.id)}>
                  {one.id}
                </a>
              </th>
              <td data-label={messages.received}>
                <When at={one.received_at} />
              </td>
              <td data-label={messages.customer}>{one.chat_id}</td>
              <td data-label={messages.state}>
                <State state={one.state}>{messages.states[one.state as MessageState]}</State>
              </td>
              <td data-label={messages.attempts}>{one.attempts}</td>
              <td data-label={messages.note}>
                <Foreign>{one.waits_for ?? one.last_error ?? ""}</Foreign>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
