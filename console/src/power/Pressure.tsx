// What is taken from machines so that nothing trips: said above all else when it is, and who would be next.

import { createMemo, For, Index, Show } from "solid-js";
import { digits, Head } from "../parts/Head";
import { MachineLink, PlaceLink } from "../parts/Links";
import { taken } from "../parts/shed";
import { clock, local, watts } from "../view/words";
import { banner, type Turn, turns } from "./pressure";
import type { OneLine } from "./types";

/** Says it when something is taken; of nothing it says nothing. It is always there, so that who listens hears it come and go. */
export const Now = (props: { line: OneLine; now: number }) => (
  <div aria-live="polite">
    <Show when={banner(props.line)}>
      {(it) => (
        <section class="pressure">
          <h2>{it().headline}</h2>
          <ul>
            {/* by position: what stays as it is is not said again */}
            <Index each={it().who}>
              {(who) => (
                <li>
                  <MachineLink name={who().machine} /> is {who().what} since {clock(new Date(who().since))}
                </li>
              )}
            </Index>
            <Show when={it().more > 0}>
              <li>and {it().more} more: see who gives way first</li>
            </Show>
            <For each={it().because}>{(why) => <li class="soft">because {local(why, new Date(props.now))}</li>}</For>
            <li class="soft">next: {it().next}</li>
          </ul>
        </section>
      )}
    </Show>
  </div>
);

/** Machines in the order in which they give up watts. */
export function Turns(props: { line: OneLine; now: number }) {
  const all = createMemo(() => turns(props.line.boxes));
  return (
    <section class="turns" aria-labelledby="turns-name">
      <h2 id="turns-name">Who gives way first</h2>
      <Show
        when={all().length > 0}
        fallback={<p class="hint">No machine hangs on these PDUs: nobody would have to give up watts.</p>}
      >
        <div class="tables">
          <table>
            <Head of={[digits("nice"), "machine", "box", digits("draws"), digits("lowest cap"), "taken from it now"]} />
            <tbody>
              <Index each={all()}>{(turn) => <Row turn={turn()} now={props.now} />}</Index>
            </tbody>
          </table>
        </div>
        <p class="hint">
          When a PDU comes near its rating, these are capped, from above, down to the lowest cap that each box takes;
          stopped only when that is not enough. <code>busbar nice -n -10 {all()[0]?.machine}</code> moves one down.
        </p>
      </Show>
    </section>
  );
}

const amount = (value: number | null, none: string) => (value === null ? none : watts(value));

function Row(props: { turn: Turn; now: number }) {
  const box = () => props.turn.box;
  return (
    <tr classList={{ loud: props.turn.shed !== null }}>
      <td class="value">{props.turn.nice}</td>
      <th scope="row">
        <MachineLink name={props.turn.machine} />
      </th>
      <td>
        <PlaceLink place={box().place} />
      </td>
      <td class="value">{amount(box().watts, "no reading")}</td>
      <td class="value">{amount(box().floor, "—")}</td>
      <td class="taken">
        <Show when={props.turn.shed} fallback={<span class="soft">{props.turn.cant ?? "nothing"}</span>}>
          {(shed) => (
            <>
              {taken(shed())}, drew {watts(shed().drew)}
              <span class="soft">: {local(shed().because, new Date(props.now))}</span>
            </>
          )}
        </Show>
      </td>
    </tr>
  );
}
