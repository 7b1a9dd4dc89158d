import { useId } from "preact/hooks";
import { api } from "../api/client.ts";
import { useLoad } from "../state/loading.ts";
import type { Filter } from "../state/message-filter.ts";
import { goTo, linkTo } from "../state/route.ts";
import { texts } from "../texts/index.ts";

/** Which messages are shown. It is in the address, so that "back" goes back and a link can be kept. */
export function MessageFilter({ filter }: { filter: Filter }) {
  const { messages } = texts.value;
  const id = useId();
  const accounts = useLoad("accounts", api.accounts, true).data?.accounts ?? [];
  const submit = (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const of = (name: string) => String(form.get(name) ?? "").trim();
    const query = { state: of("state"), account: of("account"), span: of("span"), search: of("search") };
    goTo(linkTo("messages", null, query));
  };
  const spans = { "": messages.anyTime, hour: messages.lastHour, day: messages.lastDay, week: messages.lastWeek };
  return (
    <form class="filter" onSubmit={submit} aria-label={messages.filter}>
      <label>
        {messages.state}
        <select name="state">
          <option value="">{messages.anyState}</option>
          {Object.entries(messages.states).map(([state, name]) => (
            <option key={state} value={state} selected={state === filter.state}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {accounts.length > 1 && (
        <label>
          {messages.account}
          <select name="account">
            <option value="">{messages.anyAccount}</option>
            {accounts.map(({ account_id }) => (
              <option key={account_id} value={account_id} selected={account_id === filter.account}>
                {account_id}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        {messages.since}
        <select name="span">
          {Object.entries(spans).map(([span, name]) => (
            <option key={span} value={span} selected={span === filter.span}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        {messages.search}
        <input name="search" type="search" autocomplete="off" defaultValue={filter.search} aria-describedby={id} />
      </label>
      <button type="submit" class="primary">
        {messages.apply}
      </button>
      <small id={id}>{messages.searchHint}</small>
    </form>
  );
}
