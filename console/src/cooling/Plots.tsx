// Warmth over time: inlets of each rack, and the circuits of each coolant unit.

import { createMemo, For, Show } from "solid-js";
import type { Live } from "../api/live";
import { createWatch } from "../api/watch";
import { curve, type History, steps } from "../parts/history";
import { type Curve, Plot } from "../parts/Plot";
import { spread } from "./cool";

/** Milliseconds between two looks at what changes slowly. */
const SELDOM = 15_000;

export function InletPlot(props: { live: Live; rack: string; from: string }) {
  const history = createWatch<History>(props.live, () => `/v1/history/${props.rack}?reading=inlet&from=${props.from}`, {
    every: SELDOM,
  });
  const curves = createMemo((): Curve[] => {
    const { low, middle, high } = spread(history.value()?.series ?? []);
    return middle.some((value) => value !== null) ? [{ name: "middle of all boxes", values: middle, low, high }] : [];
  });
  return (
    <Show when={curves().length > 0 && history.value()}>
      {(it) => <Plot title={`Inlets of ${props.rack}`} unit="celsius" curves={curves()} {...steps(it())} />}
    </Show>
  );
}

const GROUPS = [
  {
    title: "coolant",
    unit: "celsius",
    names: ["secondary-supply", "secondary-return", "primary-supply", "primary-return"],
  },
  { title: "flow", unit: "litres_per_minute", names: ["secondary-flow", "primary-flow"] },
  { title: "heat taken away", unit: "watts", names: ["secondary-heat", "primary-heat"] },
];

export function UnitPlots(props: { live: Live; place: string; from: string }) {
  const history = createWatch<History>(props.live, () => `/v1/history/${props.place}?from=${props.from}`, {
    every: SELDOM,
  });
  return (
    <Show when={history.value()}>
      {(it) => (
        <For each={GROUPS}>
          {({ title, unit, names }) => {
            const curves = () => names.flatMap((name) => curve(it(), name) ?? []);
            return (
              <Show when={curves().length > 0}>
                <Plot title={`${props.place}: ${title}`} unit={unit} curves={curves()} {...steps(it())} />
              </Show>
            );
          }}
        </For>
      )}
    </Show>
  );
}
