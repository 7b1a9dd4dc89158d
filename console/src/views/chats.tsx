import { useId } from "preact/hooks";
import type { ListedChat } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { Show } from "../parts/loading.tsx";
import { Pager } from "../parts/pager.tsx";
import { State } from "../parts/state.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { isNumber, numberOf } from "../state/customers-number.ts";
import { useLoad } from "../state/loading.ts";
import { goTo, linkTo, route } from "../state/route.ts";
import { texts } from "../texts/index.ts";

/** What is no number has no chats, and nobody is asked. */
const NONE = Promise.resolve({ chats: [], next: null, unreadable: [] });

/** All chats, the one that spoke last first. */
export function Chats() {
  const { chats } = texts.value;
  const number = route.value.query.get("number") ?? "";
  const before = route.value.query.get("before") ?? "";
  const isNone = number !== "" && !isNumber(number);
  const loaded = useLoad(`chats ${number} ${before}`, () => (isNone ? NONE : api.chats({ number, before })));
  return (
    <>
      <Title>{chats.title}</Title>
      <Search key={number} number={number} />
      {isNone && <p class="problem">{texts.value.page.noNumber}</p>}
      <Show loaded={loaded}>
        {({ chats: listed, next }) => (
          <>
            {listed.length === 0 ? !isNone && <p class="quiet">{chats.none}</p> : <Table chats={listed} />}
            <Pager view="chats" query={{ number, before }} next={next} />
          </>
        )}
      </Show>
    </>
  );
}

function Search({ number }: { number: string }) {
  const { chats } = texts.value;
  const id = useId();
  const submit = (event: Event) => {
    event.preventDefault();
    const written = String(new FormData(event.currentTarget as HTMLFormElement).get("number") ?? "");
    goTo(linkTo("chats", null, { number: numberOf(written) }));
  };
  return (
    <form class="filter" onSubmit={submit}>
      <label>
        {chats.search}
        <input name="number" type="search" autocomplete="off" defaultValue={number} aria-describedby={id} />
      </label>
      <button type="submit" class="primary">
        {chats.go}
      </button>
      {number !== "" && <a href={linkTo("chats")}>{chats.all}</a>}
      <small id={id}>{chats.searchHint}</small>
    </form>
  );
}

function Table({ chats: listed }: { chats: ListedChat[] }) {
  const { chats } = texts.value;
  return (
    <div class="scroll">
      <table class="stacked">
        <caption class="hidden">{chats.title}</caption>
        <thead>
          <tr>
            <th scope="col">{chats.name}</th>
            <th scope="col">{chats.account}</th>
            <th scope="col">{chats.last}</th>
            <th scope="col">{chats.messages}</th>
            <th scope="col">{chats.waiting}</th>
            <th scope="col">{chats.dead}</th>
            <th scope="col">{chats.inDoubt}</th>
          </tr>
        </thead>
        <tbody>
          {listed.map((one) => (
            <tr key={one.chat}>
              <th scope="row">
                <a href={linkTo("chats", one.chat)} aria-label={chats.open(one.name ?? chats.forgotten)}>
                  {one.name ?? chats.forgotten}
                </a>{" "}
                {one.paused && <State state="pending">{chats.paused}</State>}
              </th>
              <td data-label={chats.account}>{one.account_id}</td>
              <td data-label={chats.last}>
                <When at={one.last_at} />
              </td>
              <td data-label={chats.messages}>{one.messages}</td>
              <td data-label={chats.waiting}>{one.waiting}</td>
              <td data-label={chats.dead}>{one.dead}</td>
              <td data-label={chats.inDoubt}>{one.in_doubt}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
