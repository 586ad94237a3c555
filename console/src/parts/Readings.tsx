// What a box was last read to be, with the age of each reading.

import { For } from "solid-js";
import type { Reading } from "../api/types";
import { age, OLD, reading } from "../view/words";
import { Head } from "./Head";

export function Readings(props: { all: Reading[]; now: number }) {
  const old = (it: Reading) => (props.now - Date.parse(it.taken)) / 1000;
  return (
    <table class="readings">
      <caption>Readings</caption>
      <Head of={["reading", "value", "age"]} unseen />
      <tbody>
        <For each={props.all}>
          {(it) => (
            <tr classList={{ stale: old(it) > OLD }}>
              <th scope="row">{it.name}</th>
              <td class="value">{reading(it.value, it.unit)}</td>
              <td class="age">{age(old(it))}</td>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  );
}
