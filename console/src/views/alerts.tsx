import type { Alert } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { Foreign } from "../parts/foreign.tsx";
import { Show } from "../parts/loading.tsx";
import { State } from "../parts/state.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { path } from "../state/live.ts";
import { useLoad } from "../state/loading.ts";
import { texts } from "../texts/index.ts";

/** What the operator was told of. */
export function Alerts() {
  const { alerts } = texts.value;
  // An alert is no event of a message: the number of those that last says when to look again.
  const loaded = useLoad(`alerts ${path.value?.alerts}`, api.alerts);
  return (
    <>
      <Title>{alerts.title}</Title>
      <Show loaded={loaded}>
        {({ open, past }) => (
          <>
            <section>
              <h2>{alerts.open}</h2>
              <List alerts={open} none={alerts.noneOpen} />
            </section>
            <section>
              <h2>{alerts.past}</h2>
              <List alerts={past} none={alerts.nonePast} />
            </section>
          </>
        )}
      </Show>
    </>
  );
}

function List({ alerts: list, none }: { alerts: Alert[]; none: string }) {
  const { alerts, page } = texts.value;
  if (list.length === 0) return <p class="quiet">{none}</p>;
  return (
    <ul class="cards">
      {list.map(({ id, kind, severity, title, text, since, ended, returns }) => (
        <li key={id}>
          <h3>
            <State state={ended === null ? severity : "over"}>{alerts.severity[severity]}</State>{" "}
            {alerts.titleOf(kind, title)}
          </h3>
          <p class="said">
            <Foreign>{text}</Foreign>
          </p>
          <p class="quiet">
            {page.since("")}
            <When at={since} />
            {ended !== null && (
              <>
                , {alerts.ended("")}
                <When at={ended} />
              </>
            )}
            {returns > 0 && `, ${alerts.returns(returns)}`}
          </p>
        </li>
      ))}
    </ul>
  );
}
