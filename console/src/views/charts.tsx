import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Figures, MeasuredHop, Range } from "../api/answers.ts";
import { api } from "../api/client.ts";
import type { ChartProps } from "../charts/chart.tsx";
import { Show } from "../parts/loading.tsx";
import { Title } from "../parts/title.tsx";
import { changes } from "../state/live.ts";
import { useLoad } from "../state/loading.ts";
import { linkTo, route } from "../state/route.ts";
import { showTime, texts } from "../texts/index.ts";

const RANGES: readonly Range[] = ["hour", "day", "week", "month"];
/** The last point still runs, and what waits is no event: looked at so often where nothing happens, ms. */
const AGAIN_MS = 20_000;
/** So long after something has happened, ms: what comes meanwhile comes with it. */
const SOON_MS = 3_000;
const HOPS: readonly MeasuredHop[] = ["whole", "capture", "hotbags", "reply"];

/** What passed, and how long it took. The chart library is loaded here, and only here. */
export function Charts() {
  const { charts } = texts.value;
  const range = RANGES.find((one) => one === route.value.query.get("range")) ?? "day";
  const load = async () => ({ figures: await api.figures(range), asOf: Date.now() });
  const loaded = useLoad(`figures ${range}`, load, true);
  useFollowing(loaded.reload);
  const Chart = useChart();
  return (
    <>
      <Title>{charts.title}</Title>
      <nav aria-label={charts.rangeLabel}>
        <ul class="ranges">
          {RANGES.map((one) => (
            <li key={one}>
              <a href={linkTo("charts", null, { range: one })} aria-current={one === range ? "true" : undefined}>
                {charts.range[one]}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <Show loaded={loaded}>
        {({ figures, asOf }) => (
          <>
            <p class="quiet">{charts.asOf(showTime(asOf))}</p>
            {Chart && <All figures={figures} Chart={Chart} />}
          </>
        )}
      </Show>
    </>
  );
}

/** Looks again soon after something has happened, and now and then; not while nobody looks. */
function useFollowing(reload: () => void): void {
  useEffect(() => {
    let soon: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      soon = undefined;
      if (!document.hidden) reload();
    };
    const known = changes.peek();
    const unsubscribe = changes.subscribe((count) => {
      if (count !== known) soon ??= setTimeout(look, SOON_MS);
    });
    const timer = setInterval(look, AGAIN_MS);
    return () => {
      unsubscribe();
      clearTimeout(soon);
      clearInterval(timer);
    };
  }, [reload]);
}

function useChart(): FunctionComponent<ChartProps> | null {
  const [loaded, setLoaded] = useState<{ Chart: FunctionComponent<ChartProps> } | null>(null);
  useEffect(() => {
    void import("../charts/chart.tsx").then(setLoaded);
  }, []);
  return loaded?.Chart ?? null;
}

function All({ figures, Chart }: { figures: Figures; Chart: FunctionComponent<ChartProps> }) {
  const { charts } = texts.value;
  const [hop, setHop] = useState<MeasuredHop>("whole");
  const { at, messages_in, replies_out, failures, waiting, hops } = figures;
  const kinds = Object.keys(failures);
  return (
    <>
      <Chart
        title={charts.flow}
        at={at}
        unit="count"
        lines={[
          { name: charts.messagesIn, values: messages_in, isSum: true },
          { name: charts.repliesOut, values: replies_out, isSum: true },
        ]}
      />
      <label>
        {charts.hopLabel}
        <select value={hop} onChange={(event) => setHop(event.currentTarget.value as MeasuredHop)}>
          {HOPS.map((one) => (
            <option key={one} value={one}>
              {charts.hop[one]}
            </option>
          ))}
        </select>
      </label>
      <Chart
        title={charts.durations}
        at={at}
        unit="ms"
        lines={[
          { name: charts.p50, values: hops[hop].p50_ms, isSum: false },
          { name: charts.p95, values: hops[hop].p95_ms, isSum: false },
        ]}
      />
      {kinds.length === 0 ? (
        <section>
          <h2>{charts.failures}</h2>
          <p class="quiet">{charts.noFailures}</p>
        </section>
      ) : (
        <Chart
          title={charts.failures}
          at={at}
          unit="count"
          lines={kinds.map((kind) => ({
            name: charts.failureKind(kind),
            values: failures[kind] ?? [],
            isSum: true,
          }))}
        />
      )}
      <Chart
        title={charts.depth}
        at={at}
        unit="count"
        lines={[{ name: charts.waiting, values: waiting, isSum: false }]}
      />
    </>
  );
}
