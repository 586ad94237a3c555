// Heat: what carries it away, how warm racks and boxes stand, now and over the day.

import { createMemo, For, Show } from "solid-js";
import { createWatch } from "../api/watch";
import type { PageProps } from "../pages";
import { count } from "../parts/amount";
import { digits, Head, unseen } from "../parts/Head";
import { PlaceLink } from "../parts/Links";
import { Span, span } from "../parts/Span";
import { reading } from "../view/words";
import { Boxes } from "./Boxes";
import { headline, inlets, movers, type Parted, type Unit, type Vital, well } from "./cool";
import { InletPlot, UnitPlots } from "./Plots";
import { degrees, Strip } from "./Strip";
import { Units } from "./Units";
import "./cooling.css";

/** Coolant units and racks that have plots; more are too many to read, and too much to ask for. */
const PLOTS = 6;

export function CoolingPage(props: PageProps) {
  const vitals = createWatch<{ boxes: Vital[] }>(props.live, () => "/v1/vitals", { key: "place" });
  const devices = createWatch<Unit[]>(props.live, () => "/v1/devices", { key: "place" });
  // parts seldom change, and there are many
  const nodes = createWatch<Parted[]>(props.live, () => "/v1/nodes", { every: 10_000, key: "place" });
  const parts = createMemo(() => movers(nodes.value() ?? []));
  const boxes = () => vitals.value()?.boxes ?? [];
  const units = createMemo(() => (devices.value() ?? []).filter(({ kind }) => kind === "cooling"));
  const racks = createMemo(() => inlets(boxes()));
  const axis = createMemo(() => degrees(racks()));
  const plotted = createMemo(
    () => ({
      racks: racks()
        .map(({ rack }) => rack)
        .slice(0, PLOTS),
      units: units()
        .map(({ place }) => place)
        .slice(0, PLOTS),
    }),
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  );
  const come = () => vitals.value() !== undefined && devices.value() !== undefined;
  return (
    <div class="sheet cooling" aria-busy={!come()}>
      <div>
        <h1 tabindex={-1}>{come() ? headline(boxes(), units(), props.live.now()) : "Cooling"}</h1>
        <p class="lede">
          All power that is drawn becomes heat. How much can be taken away is written down nowhere; what is taken away
          now is what coolant units tell.
        </p>
      </div>
      <Show when={vitals.trouble() ?? devices.trouble()}>{(it) => <p class="said failed">{it()}</p>}</Show>
      <Show when={units().length > 0}>
        <section>
          <h2>Coolant units</h2>
          <Units units={units()} now={props.live.now()} />
        </section>
      </Show>
      <Show when={racks().length > 0}>
        <section>
          <h2>Inlets</h2>
          <div class="tables">
            <table class="inlets">
              <caption class="unseen">Inlet temperatures of each rack</caption>
              <Head
                of={[
                  "rack",
                  digits("lowest"),
                  digits("middle"),
                  digits("highest"),
                  "warmest",
                  "boxes",
                  unseen("a dot for each box", "strips"),
                ]}
              />
              <tbody>
                <For each={racks()}>
                  {(it) => (
                    <tr>
                      <th scope="row">
                        <PlaceLink place={it.rack} />
                      </th>
                      <td class="value">{reading(it.least, "celsius")}</td>
                      <td class="value">{reading(it.middle, "celsius")}</td>
                      <td class="value">{reading(it.most, "celsius")}</td>
                      <td>
                        <PlaceLink place={it.hottest} />
                      </td>
                      <td>
                        {it.known.length}
                        <Show when={it.unknown > 0}>
                          , {count(it.unknown, "more without a reading", "more without readings")}
                        </Show>
                      </td>
                      <td class="strips">
                        <Strip inlets={it} from={axis()[0]} to={axis()[1]} />
                      </td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
          </div>
        </section>
      </Show>
      <section>
        <h2>Boxes</h2>
        <Show when={nodes.value()}>
          <p class="why">
            Of servers, when they were last read in full: {well(parts().fans, "fan")};{" "}
            {well(parts().leaks, "leak detector")}.
          </p>
        </Show>
        <Show when={parts().fans.wrong.length + parts().leaks.wrong.length > 0}>
          <ul class="faults">
            <For each={[...parts().leaks.wrong, ...parts().fans.wrong]}>
              {({ place, id, health }) => (
                <li>
                  <PlaceLink place={place} /> {id} <span class="wrong">{health}</span>
                </li>
              )}
            </For>
          </ul>
        </Show>
        <Boxes boxes={boxes()} now={props.live.now()} />
      </section>
      <section>
        <h2>
          Over time <Span />
        </h2>
        <div class="beside">
          <For each={plotted().units}>{(place) => <UnitPlots live={props.live} place={place} from={span()} />}</For>
          <For each={plotted().racks}>{(rack) => <InletPlot live={props.live} rack={rack} from={span()} />}</For>
        </div>
      </section>
    </div>
  );
}
