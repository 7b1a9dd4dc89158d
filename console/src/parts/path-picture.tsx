import { useEffect, useId, useState } from "preact/hooks";
import type { Hop, HopName, HopState } from "../api/answers.ts";
import { texts } from "../texts/index.ts";
import { toneOf } from "./state.tsx";

const ORDER: readonly HopName[] = ["whatsapp", "openclaw", "plugin", "sidecar", "hotbags"];
/** The worst of several accounts is what the picture shows; the list beneath has each. */
const WORST: readonly HopState[] = ["down", "slow", "unknown", "ok"];
const SIGNS = { good: "✓", wait: "…", bad: "✕", off: "?" };

const BOX = { width: 104, height: 58 };
const GAP = 28;

interface Station {
  name: string;
  /** Null: the customer's phone, of which nobody knows anything. */
  state: HopState | null;
}

/** The way of a message as a picture: from left to right, or downwards where it is narrow. */
export function PathPicture({ hops }: { hops: readonly Hop[] }) {
  const isNarrow = useMedia("(max-width: 800px)");
  const id = useId();
  const { now } = texts.value;
  const stations: Station[] = [
    { name: now.phone, state: null },
    ...ORDER.map((hop) => {
      const its = hops.filter((one) => one.hop === hop);
      const state = WORST.find((one) => its.some(({ state }) => state === one)) ?? "unknown";
      return { name: now.hop[hop], state };
    }),
  ];
  const step = isNarrow ? BOX.height + GAP - 8 : BOX.width + GAP;
  const length = step * (stations.length - 1) + (isNarrow ? BOX.height : BOX.width) + 4;
  const size = isNarrow ? { width: BOX.width * 2, height: length } : { width: length, height: BOX.height + 4 };
  const said = stations.map(({ name, state }) => (state === null ? name : `${name}: ${now.state[state]}`)).join(", ");
  return (
    <svg class="path" role="img" aria-labelledby={id} viewBox={`0 0 ${size.width} ${size.height}`} {...size}>
      <title id={id}>{`${now.picture}: ${said}`}</title>
      {stations.map(({ name, state }, n) => {
        const at = 2 + n * step;
        const [x, y] = isNarrow ? [BOX.width / 2, at] : [at, 2];
        return (
          <g key={name} class={state === null ? "phone" : toneOf(state)}>
            {n > 0 && <Link x={x} y={y} isNarrow={isNarrow} />}
            <rect x={x} y={y} width={BOX.width} height={BOX.height} rx="10" />
            <text x={x + BOX.width / 2} y={y + 24} class="name">
              {name}
            </text>
            <text x={x + BOX.width / 2} y={y + 44} class="sign">
              {state === null ? "☎" : `${SIGNS[toneOf(state)]} ${now.state[state]}`}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

/** Into the station at this place, from the one before it. */
function Link({ x, y, isNarrow }: { x: number; y: number; isNarrow: boolean }) {
  const middle = x + BOX.width / 2;
  return isNarrow ? (
    <line x1={middle} x2={middle} y1={y - GAP + 8} y2={y} />
  ) : (
    <line x1={x - GAP} x2={x} y1={y + BOX.height / 2} y2={y + BOX.height / 2} />
  );
}

function useMedia(query: string): boolean {
  const [isSo, setSo] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = () => setSo(list.matches);
    list.addEventListener("change", look);
    return () => list.removeEventListener("change", look);
  }, [query]);
  return isSo;
}
