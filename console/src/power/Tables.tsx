// The one-line diagram as tables: PDUs, each with the question what its loss would do, and boxes with their inputs and caps.

import { For, Show } from "solid-js";
import { digits, Head, unseen } from "../parts/Head";
import { MachineLink, PlaceLink } from "../parts/Links";
import { sake } from "../parts/shed";
import { follow, withParams } from "../view/router";
import { OLD, reading, watts, slot } from "../view/words";
import { since } from "./Diagram";
import { fullest, share } from "./diagram";
import type { FedBox, OneLine, Pdu } from "./types";

const stale = (taken: string | null, now: number) => taken !== null && (now - Date.parse(taken)) / 1000 > OLD;

export function Pdus(props: { line: OneLine; fails: string[]; now: number }) {
  const lose = (place: string) => {
    const { fails } = props;
    const next = fails.includes(place) ? fails.filter((it) => it !== place) : [...fails, place];
    return withParams({ fail: next.length > 0 ? next.join(",") : null });
  };
  const words = (place: string) => {
    if (props.fails.includes(place)) return `${slot(place)} stays`;
    return props.fails.length > 0 ? `Lose ${slot(place)} too` : `Lose ${slot(place)} now`;
  };
  return (
    <section aria-labelledby="pdus-name">
      <h2 id="pdus-name">PDUs</h2>
      <div class="tables">
        <table class="pdus">
          <Head
            of={[
              "PDU",
              digits("carries"),
              digits("of", "more"),
              digits("share"),
              digits("fullest line", "more"),
              digits("age"),
              unseen("what if"),
            ]}
          />
          <tbody>
            <For each={props.line.pdus}>
              {(pdu) => (
                <tr classList={{ stale: stale(pdu.taken, props.now) }}>
                  <th scope="row">
                    <PlaceLink place={pdu.place} />
                  </th>
                  <td class="value">
                    {pdu.carries === "no" ? "nothing" : pdu.watts === null ? "no reading" : watts(pdu.watts)}
                  </td>
                  <td class="value more">{pdu.rated === null ? "not told" : watts(pdu.rated)}</td>
                  <td class="value">{share(pdu.watts, pdu.rated)}</td>
                  <td class="value more">{ampere(pdu)}</td>
                  <td class="age">{since(pdu.taken, props.now)}</td>
                  <td class="whatif">
                    <a
                      class="button"
                      href={lose(pdu.place)}
                      aria-current={props.fails.includes(pdu.place) ? "true" : undefined}
                      onClick={(event) => follow(event, lose(pdu.place))}
                    >
                      {words(pdu.place)}
                    </a>
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <p class="hint">“Lose” only asks what would come of it.</p>
    </section>
  );
}

function ampere(pdu: Pdu): string {
  const line = fullest(pdu);
  if (line === null) return "not told";
  const of = line.rated === null ? "" : ` of ${Number(line.rated.toFixed(1))}`;
  return `${line.amps.toFixed(1)}${of} A`;
}

/** Boxes with their inputs: what the drawing shows, for who reads. */
export function Boxes(props: { line: OneLine; now: number }) {
  return (
    <details class="boxes">
      <summary>the diagram as a table</summary>
      <div class="tables">
        <table>
          <Head of={["box", "machine", digits("watts"), "inputs"]} />
          <tbody>
            <For each={props.line.boxes}>
              {(box) => (
                <tr classList={{ stale: stale(box.taken, props.now) }}>
                  <th scope="row">
                    <PlaceLink place={box.place} />
                  </th>
                  <td>
                    <Show when={box.machine}>{(name) => <MachineLink name={name()} />}</Show>
                  </td>
                  <td class="value">{reading(box.watts, "watts")}</td>
                  <td>{inputs(box)}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
    </details>
  );
}

const CARRIES = { yes: "", no: " carries nothing", unknown: " not seen to carry" };

function inputs(box: FedBox): string {
  if (box.cords.length === 0) return "nobody wrote down";
  const one = ({ pdu, outlet, watts: w, told, carries }: FedBox["cords"][number]) =>
    `${slot(pdu)}/${outlet}${CARRIES[carries] || (w === null ? "" : ` ${told ? "" : "≈ "}${watts(w)}`)}`;
  return box.cords.map(one).join(", ");
}

/** Whether a cap is there so that nothing trips; else someone wants it. */
const ours = ({ cap, shed }: FedBox) => (shed !== null && shed.cap != null && shed.cap === cap ? sake(shed) : "");

/** Boxes whose power is limited. */
export function Caps(props: { line: OneLine }) {
  const capped = () => props.line.boxes.filter(({ cap }) => cap !== null);
  return (
    <section aria-labelledby="caps-name">
      <h2 id="caps-name">Caps</h2>
      <Show
        when={capped().length > 0}
        fallback={
          <p class="hint">
            No box has a power cap. <code>busbar cap {props.line.boxes[0]?.place ?? "r1/u1"} 600W --try 5m</code>
          </p>
        }
      >
        <div class="tables">
          <table>
            <Head of={["box", "machine", digits("draws"), digits("cap"), digits("share"), unseen("why")]} />
            <tbody>
              <For each={capped()}>
                {(box) => (
                  <tr>
                    <th scope="row">
                      <PlaceLink place={box.place} />
                    </th>
                    <td>
                      <Show when={box.machine}>{(name) => <MachineLink name={name()} />}</Show>
                    </td>
                    <td class="value">{reading(box.watts, "watts")}</td>
                    <td class="value">{reading(box.cap, "watts")}</td>
                    <td class="value">{share(box.watts, box.cap)}</td>
                    <td class="soft">{ours(box)}</td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
    </section>
  );
}
