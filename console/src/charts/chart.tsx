import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { language, theme } from "../state/preferences.ts";
import { showDuration, showMoment, showNumber, showTime, texts } from "../texts/index.ts";

export interface Line {
  name: string;
  /** One for each point; null: not known. */
  values: (number | null)[];
  /** What it says as a whole is its sum; else its highest. */
  isSum: boolean;
}

export interface ChartProps {
  title: string;
  /** When each point begins, s since 1970. */
  at: number[];
  unit: "count" | "ms";
  lines: Line[];
}

const HEIGHT = 220;

/** A longer time than this, s, is told by its days. */
const LONG_S = 2 * 86_400;

/** Curves over time; beside them, for whoever does not see them, what they say as a whole, and all of it as a table. */
export function Chart({ title, at, unit, lines }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const isKnown = lines.some(({ values }) => values.some((value) => value !== null));
  const { charts } = texts.value;
  const show = (value: number | null | undefined) =>
    value == null ? charts.notKnown : unit === "ms" ? showDuration(value) : showNumber(value);
  const says = isKnown ? lines.map((line) => summaryOf(line, show)).join("; ") : charts.nothing;
  const [tone, words] = [theme.value, language.value];
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    const box = place.current;
    if (box === null || !isKnown) return;
    const made = new uPlot(optionsOf(box, lines, show), [at, ...lines.map(({ values }) => values)], box);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: HEIGHT }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [lines.map(({ name }) => name).join(), tone, words, isKnown]);
  // At each rendering: whatever has changed, the curves are those of the table.
  useEffect(() => {
    plot.current?.setData([at, ...lines.map(({ values }) => values)]);
  });
  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <p class="quiet">{says}</p>
      </figcaption>
      {isKnown && <div ref={place} role="img" aria-label={`${title}. ${says}`} />}
      {isKnown && <Table title={title} at={at} lines={lines} show={show} />}
    </figure>
  );
}

function summaryOf({ name, values, isSum }: Line, show: (value: number | null) => string): string {
  const { charts } = texts.value;
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return charts.sum(name, charts.notKnown);
  return isSum
    ? charts.sum(name, show(known.reduce((sum, value) => sum + value, 0)))
    : charts.peak(name, show(Math.max(...known)));
}

/** A colour of the style sheet as a canvas takes it: `light-dark()` it does not know. */
function colour(box: HTMLElement, name: string): string {
  box.style.color = `var(${name})`;
  const resolved = getComputedStyle(box).color;
  box.style.color = "";
  return resolved;
}

function optionsOf(box: HTMLElement, lines: Line[], show: (value: number | null) => string): uPlot.Options {
  const axis = { stroke: () => colour(box, "--chart-text"), grid: { stroke: () => colour(box, "--chart-grid") } };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    cursor: { y: false },
    legend: { live: true },
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(most ?? 0, 1)] } },
    axes: [
      {
        ...axis,
        values: (_plot, ticks) =>
          ticks.map((tick) => showMoment(tick * 1_000, (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) > LONG_S)),
      },
      { ...axis, size: 70, values: (_plot, ticks) => ticks.map(show) },
    ],
    series: [
      { label: texts.value.charts.time, value: (_plot, at) => (at == null ? "–" : showTime(at * 1_000)) },
      ...lines.map(({ name }, n) => ({
        label: name,
        width: 2,
        stroke: () => colour(box, `--chart-${(n % 6) + 1}`),
        // Not by its colour alone.
        ...(n % 2 === 1 && { dash: [6, 4] }),
        value: (_plot: uPlot, value: number | null) => show(value),
      })),
    ],
  };
}

interface TableProps extends Omit<ChartProps, "unit"> {
  show: (value: number | null) => string;
}

function Table({ title, at, lines, show }: TableProps) {
  const { charts } = texts.value;
  return (
    <details>
      <summary>{charts.table}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so a keyboard has to come to it */}
      <section class="scroll" tabIndex={0} aria-label={title}>
        <table>
          <caption class="hidden">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{charts.time}</th>
              {lines.map(({ name }) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {at.map((second, n) => (
              <tr key={second}>
                <th scope="row">{showTime(second * 1_000)}</th>
                {lines.map(({ name, values }) => (
                  <td key={name}>{show(values[n] ?? null)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
