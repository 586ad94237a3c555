// Of a forecast: who would give up watts so that nothing more trips, first to last.

import { For } from "solid-js";
import { digits, Head } from "../parts/Head";
import { MachineLink, PlaceLink } from "../parts/Links";
import { taken } from "../parts/shed";
import { watts } from "../view/words";
import type { Given } from "./types";

export const Gives = (props: { all: readonly Given[] }) => (
  <div class="tables">
    <table class="gives">
      <caption>Gives up watts, before anything more trips</caption>
      <Head of={[digits("turn"), "machine", "box", digits("nice"), digits("draws"), "would be", "why"]} />
      <tbody>
        <For each={props.all}>
          {(given, i) => (
            <tr>
              <td class="value soft">{i() + 1}</td>
              <th scope="row">
                <MachineLink name={given.machine} />
              </th>
              <td>
                <PlaceLink place={given.place} />
              </td>
              <td class="value">{given.nice}</td>
              <td class="value">{watts(given.watts)}</td>
              <td>{taken(given)}</td>
              <td>{given.because}</td>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  </div>
);
