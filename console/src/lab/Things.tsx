// The rack as it truly is, as a table: boxes, power, cooling; each row is picked by its button.

import { For, Show } from "solid-js";
import { Head } from "../parts/Head";
import { watts } from "../view/words";
import { ofBox, ofCircuit, ofGear } from "./state";
import type { LabRack } from "./types";

interface Row {
  name: string;
  state: { text: string; wrong: boolean };
  watts: number | null;
  celsius: number | null;
}

function groups(rack: LabRack): { title: string; rows: Row[] }[] {
  return [
    {
      title: "boxes",
      rows: rack.boxes.map((box) => ({
        name: box.place,
        state: ofBox(box),
        watts: box.watts,
        celsius: box.hottest ?? box.inlet,
      })),
    },
    {
      title: "power",
      rows: rack.gear.map((gear) => ({ name: gear.name, state: ofGear(gear), watts: gear.watts, celsius: null })),
    },
    {
      title: "cooling",
      rows: rack.circuits.map((it) => ({ name: it.name, state: ofCircuit(it), watts: null, celsius: null })),
    },
  ].filter(({ rows }) => rows.length > 0);
}

export function Things(props: { rack: LabRack; picked: string; broken: Set<string>; onPick: (name: string) => void }) {
  return (
    <table class="things">
      <caption>The rack as it truly is</caption>
      <Head of={["what", "state", "watts", "hottest"]} unseen />
      <For each={groups(props.rack).map(({ title }) => title)}>
        {(title, i) => (
          <tbody>
            <tr class="group">
              <th scope="rowgroup" colspan="4">
                {title}
              </th>
            </tr>
            <For each={groups(props.rack)[i()]?.rows.map(({ name }) => name)}>
              {(name) => {
                const row = () => groups(props.rack)[i()]?.rows.find((it) => it.name === name);
                return (
                  <tr classList={{ picked: props.picked === name }}>
                    <th scope="row">
                      <button type="button" aria-pressed={props.picked === name} onClick={() => props.onPick(name)}>
                        {name}
                      </button>
                    </th>
                    <td classList={{ wrong: row()?.state.wrong ?? false }}>
                      {row()?.state.text}
                      <Show when={props.broken.has(name)}> · broken here</Show>
                    </td>
                    <td class="value">{row()?.watts == null ? "" : watts(row()?.watts ?? 0)}</td>
                    <td class="value">{row()?.celsius == null ? "" : `${row()?.celsius?.toFixed(0)} °C`}</td>
                  </tr>
                );
              }}
            </For>
          </tbody>
        )}
      </For>
    </table>
  );
}
