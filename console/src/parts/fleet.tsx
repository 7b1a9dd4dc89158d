import type { Fleet as Answer } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { useLoad } from "../state/loading.ts";
import { texts } from "../texts/index.ts";
import { State } from "./state.tsx";
import { When } from "./when.tsx";

type Account = Answer["accounts"][number];

/** Where sidecars share a store: who works on which account. */
export function Fleet() {
  const { data } = useLoad("fleet", api.fleet);
  const { now } = texts.value;
  if (!data?.shared) return null;
  return (
    <section>
      <h2>{now.fleet}</h2>
      <ul class="hops">
        {data.accounts.map((account) => (
          <li key={account.account_id}>
            <State state={stateOf(account)}>{now.state[stateOf(account)]}</State>{" "}
            <strong>{now.account(account.account_id)}</strong>: {now.worksOnIt(account)}
            {account.since !== null && (
              <small>
                {" "}
                (<When at={account.since} />)
              </small>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** `slow`: something waits, or will. */
function stateOf({ sidecar, beside, wanted_by }: Account) {
  if (sidecar === null) return "down";
  return beside && wanted_by === null ? "ok" : "slow";
}
