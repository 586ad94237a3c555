// Power and heat of the machine's box over the last hours.

import { Show } from "solid-js";
import type { Live } from "../api/live";
import { createWatch } from "../api/watch";
import { curve, type History, steps } from "../parts/history";
import { PlaceLink } from "../parts/Links";
import { Plot } from "../parts/Plot";
import { Span } from "../parts/Span";
import { param } from "../view/router";
import { heat, SPANS, span } from "./heat";

/** Milliseconds between two looks: steps are half a minute and longer. */
const EVERY = 15_000;

export function Plots(props: {
  live: Live;
  place: string;
  cap: { value: number; name: string } | null;
  /** What a reading is just now. */
  now: (name: string) => number | null;
}) {
  const chosen = () => span(param("span"));
  const history = createWatch<History>(props.live, () => `/v1/history/${props.place}?from=${chosen()}`, {
    every: EVERY,
  });
  return (
    <section>
      <div class="headed">
        <h2>
          Power and heat of <PlaceLink place={props.place} />
        </h2>
        <Span of={SPANS} label="how far back" />
      </div>
      <Show when={history.trouble()}>{(trouble) => <p class="lede">{trouble()}</p>}</Show>
      <Show when={history.value()}>
        {(it) => (
          <div class="beside">
            <Plot
              title="power"
              unit="watts"
              curves={[curve(it(), "watts", props.now)].filter((found) => found !== null)}
              limit={props.cap}
              {...steps(it())}
            />
            <Plot title="heat" unit="celsius" curves={heat(it(), props.now)} {...steps(it())} />
          </div>
        )}
      </Show>
    </section>
  );
}
