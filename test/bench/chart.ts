export interface Chart {
  title: string;
  /** What the axes show, with the unit. x is on a logarithmic scale. */
  x: string;
  y: string;
  lines: { name: string; points: { x: number; y: number }[] }[];
}

const WIDTH = 440;
const HEIGHT = 300;
/** Around the plot: title above, numbers and names of the axes, names of the lines on the right. */
const EDGE = { top: 40, right: 130, bottom: 50, left: 60 };
const PLOT = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
/** Between the names of two lines, so that none covers another. */
const NAME_HEIGHT = 14;
const Y_STEPS = 4;
/** Told apart by people who see red and green alike, on white and on black (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

const STYLE = `
  text { font: 12px sans-serif; fill: #24292f; }
  .title { font-weight: bold; }
  .axis { stroke: #57606a; fill: none; }
  .grid { stroke: #8c959f; stroke-opacity: 0.35; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .axis { stroke: #9198a1; } }
`;

/** Side by side, as one SVG that is legible on white and on black. */
export function drawCharts(charts: readonly Chart[]): string {
  const width = WIDTH * charts.length;
  const drawn = charts.map((chart, n) => `<g transform="translate(${n * WIDTH} 0)">\n${draw(chart)}\n</g>`);
  const size = `width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}"`;
  const names = charts.map(({ title }) => title).join("; ");
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${names}">\n<style>${STYLE}</style>\n${drawn.join("\n")}\n</svg>\n`;
}

function draw({ title, x, y, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const top = roundedUp(Math.max(...points.map((point) => point.y)));
  const [first = 1, last = 1] = [xs[0], xs.at(-1)];
  const span = Math.log(last / first) || 1;
  const left = (value: number) => EDGE.left + (Math.log(value / first) / span) * PLOT.width;
  const down = (value: number) => EDGE.top + (1 - value / top) * PLOT.height;
  const bottom = EDGE.top + PLOT.height;
  const right = EDGE.left + PLOT.width;
  const ySteps = Array.from({ length: Y_STEPS + 1 }, (_, n) => (top * n) / Y_STEPS);
  const named = spread(lines.map((line) => down(line.points.at(-1)?.y ?? 0)));
  return [
    text(EDGE.left, 20, title, 'class="title"'),
    ...ySteps.map((value) => path([EDGE.left, down(value)], [right, down(value)], 'class="grid"')),
    ...ySteps.map((value) => text(EDGE.left - 8, down(value) + 4, String(Number(value.toPrecision(3))), END)),
    ...xs.map((value) => text(left(value), bottom + 18, value.toLocaleString("en"), MIDDLE)),
    `<path class="axis" d="M${EDGE.left} ${EDGE.top}V${bottom}H${right}"/>`,
    text(EDGE.left + PLOT.width / 2, HEIGHT - 10, x, MIDDLE),
    text(0, 0, y, `${MIDDLE} transform="translate(14 ${EDGE.top + PLOT.height / 2}) rotate(-90)"`),
    ...lines.flatMap((line, n) => {
      const colour = COLOURS[n % COLOURS.length];
      const corners = line.points.map((point) => `${round(left(point.x))},${round(down(point.y))}`);
      return [
        `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${corners.join(" ")}"/>`,
        ...corners.map((corner) => `<circle r="3" fill="${colour}" transform="translate(${corner})"/>`),
        `<rect x="${right + 8}" y="${round((named[n] ?? 0) - 1)}" width="8" height="3" fill="${colour}"/>`,
        text(right + 20, (named[n] ?? 0) + 4, line.name),
      ];
    }),
  ].join("\n");
}

const MIDDLE = 'text-anchor="middle"';
const END = 'text-anchor="end"';
const round = (value: number) => Number(value.toFixed(1));

function text(x: number, y: number, words: string, attributes = ""): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${words}</text>`;
}

function path([x1, y1]: [number, number], [x2, y2]: [number, number], attributes: string): string {
  return `<path ${attributes} d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}"/>`;
}

/** Where names go that belong beside these heights: in their order, and none upon another. */
function spread(heights: readonly number[]): number[] {
  const places: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (const { height, n } of heights.map((height, n) => ({ height, n })).sort((a, b) => a.height - b.height)) {
    least = Math.max(height, least + NAME_HEIGHT);
    places[n] = least;
  }
  const over = Math.max(0, least - EDGE.top - PLOT.height);
  return places.map((place) => place - over);
}

/** 1, 2, 4, 5 or 8 with zeros: what is easily divided by four. */
function roundedUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 2, 4, 8, 10].find((step) => step * unit >= value) ?? 10) * unit;
}
