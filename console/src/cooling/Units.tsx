// Coolant units: what goes out, what comes back, how much heat goes with it.

import { For, Show } from "solid-js";
import type { Reading } from "../api/types";
import { digits, Head } from "../parts/Head";
import { PlaceLink } from "../parts/Links";
import { age, OLD, reading } from "../view/words";
import { circuits, ill, rest, type Unit } from "./cool";

export function Units(props: { units: Unit[]; now: number }) {
  const old = (it: Reading) => (props.now - Date.parse(it.taken)) / 1000;
  const cell = (it: Reading | null) => (
    <td class="value" classList={{ none: it === null || it.value === null, dim: it !== null && old(it) > OLD }}>
      {it === null ? "not told" : reading(it.value, it.unit)}
      <Show when={it !== null && old(it) > OLD}> {it && `${age(old(it))} old`}</Show>
    </td>
  );
  return (
    <div class="tables">
      <table>
        <caption class="unseen">Coolant units</caption>
        <Head
          of={[
            "unit",
            "circuit",
            digits("supply"),
            digits("return"),
            digits("flow"),
            digits("pressure"),
            digits("takes away"),
            "health",
            "pumps and the rest",
          ]}
        />
        <tbody>
          <For each={props.units}>
            {(unit) => (
              <For each={circuits(unit)}>
                {(it, i) => (
                  <tr>
                    <th scope="row">
                      <PlaceLink place={unit.place} />
                    </th>
                    <td>{it.side}</td>
                    {cell(it.supply)}
                    {cell(it.back)}
                    {cell(it.flow)}
                    {cell(it.pressure)}
                    {cell(it.heat)}
                    <td classList={{ wrong: ill(unit.health) !== null }}>{i() === 0 ? unit.health : ""}</td>
                    <td>
                      {i() === 0
                        ? rest(unit)
                            .map(({ name, value, unit: of }) => `${name} ${reading(value, of)}`)
                            .join(", ")
                        : ""}
                    </td>
                  </tr>
                )}
              </For>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}
