// What would come of a failure, before anything is done: who dies, who goes on, what each PDU carries then, what is not known.

import { For, Show } from "solid-js";
import { PAGES } from "../pages";
import { digits, Head, unseen } from "../parts/Head";
import { MachineLink, PlaceLink } from "../parts/Links";
import { follow, withParams } from "../view/router";
import { watts } from "../view/words";
import { Gives } from "./Gives";
import { bar, question, share } from "./diagram";
import { fate } from "./pressure";
import type { Forecast, Load } from "./types";

const WIDE = 160;

const number = (value: number | null) => (value === null ? "unknown" : watts(value));

export function Foretold(props: { forecast: Forecast; emulated: boolean }) {
  const it = () => props.forecast;
  const lab = () => props.emulated && PAGES.some(({ segment }) => segment === "lab");
  const losers = () => it().dies.filter(({ machine }) => machine !== null);
  const empty = () => it().dies.filter(({ machine }) => machine === null);
  const machines = () => it().weaker.filter(({ machine }) => machine !== null);
  const rest = () => it().weaker.length - machines().length;
  return (
    <section class="foretold" aria-labelledby="foretold-name">
      <h2 id="foretold-name">If {it().fails.join(" and ")} failed now</h2>
      <p role="status">{it().headline} Nothing was changed.</p>
      <div class="tables">
        <table class="loads">
          <caption class="unseen">PDUs before and after</caption>
          <Head
            of={[
              "PDU",
              digits("now"),
              digits("then"),
              digits("of its rating"),
              unseen("drawn", "bars"),
              unseen("what becomes of it"),
            ]}
          />
          <tbody>
            <For each={it().loads}>
              {(load) => (
                <tr classList={{ loud: load.fate === "fails" || load.fate === "trips" || load.fate === "soft" }}>
                  <th scope="row">
                    <PlaceLink place={load.pdu} />
                  </th>
                  <td class="value">{number(load.before)}</td>
                  <td class="value">
                    {load.at_least ? "≥ " : ""}
                    {number(load.after)}
                  </td>
                  <td class="value">
                    {share(load.before, load.rated)} → {load.at_least ? "≥ " : ""}
                    {share(load.after, load.rated)}
                  </td>
                  <td class="bars">
                    <Bars load={load} />
                  </td>
                  <td class="fate">{fate(load)}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={(it().sheds ?? []).length > 0}>
        <Gives all={it().sheds ?? []} />
      </Show>
      <Show when={losers().length > 0}>
        <div class="tables">
          <table class="dies">
            <caption>Dies</caption>
            <Head of={["machine", "box", digits("nice"), digits("watts"), "because"]} />
            <tbody>
              <For each={losers()}>
                {(victim) => (
                  <tr>
                    <th scope="row">
                      <MachineLink name={victim.machine ?? ""} />
                    </th>
                    <td>
                      <PlaceLink place={victim.place} />
                    </td>
                    <td class="value">{victim.nice ?? ""}</td>
                    <td class="value">{number(victim.watts)}</td>
                    <td>{victim.because}</td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
      <Show when={empty().length > 0}>
        <p class="goeson">
          <span class="label">Goes dark without a machine: </span>
          <For each={empty()}>
            {({ place }, i) => (
              <>
                {i() > 0 ? ", " : ""}
                <PlaceLink place={place} />
              </>
            )}
          </For>
        </p>
      </Show>
      <Show when={it().weaker.length > 0}>
        <p class="goeson">
          <span class="label">Goes on with less: </span>
          <For each={machines()}>
            {(weak, i) => (
              <>
                {i() > 0 ? ", " : ""}
                <MachineLink name={weak.machine ?? ""} /> ({weak.left} of {weak.of})
              </>
            )}
          </For>
          <Show when={rest() > 0}>
            {machines().length > 0 ? " and " : ""}
            {rest()} {rest() === 1 ? "box" : "boxes"} without a machine
          </Show>
        </p>
      </Show>
      <ul class="said">
        <For each={it().unknown}>{(text) => <li>Not known: {text}.</li>}</For>
        <For each={it().assumed}>{(text) => <li>Assumed: {text}.</li>}</For>
      </ul>
      <p class="asked">
        <code>{question(it().fails).command}</code> <code class="call">GET {question(it().fails).path}</code>
      </p>
      <p class="ways">
        <a href={withParams({ fail: null })} onClick={(event) => follow(event, withParams({ fail: null }))}>
          Back to what is
        </a>
        <Show when={lab()}>
          <For each={it().fails}>
            {(place) => (
              <a href={`/lab?at=${place}`} onClick={(event) => follow(event, `/lab?at=${place}`)}>
                Really do it to {place}, in the Lab
              </a>
            )}
          </For>
        </Show>
      </p>
    </section>
  );
}

/** Before and after on one scale. */
function Bars(props: { load: Load }) {
  const scale = () =>
    Math.max(props.load.rated ?? 0, props.load.after ?? 0, props.load.before ?? 0, props.load.peak ?? 0) || null;
  const of = (value: number | null) => bar(value, scale(), WIDE)?.length ?? 0;
  const mark = () => (props.load.rated === null ? null : of(0.8 * props.load.rated));
  return (
    <svg width={WIDE} height="18" viewBox={`0 0 ${WIDE} 18`} aria-hidden="true">
      <rect class="rating" x="0" y="1" width={of(props.load.rated)} height="16" />
      <rect class="before" x="0" y="3" width={of(props.load.before)} height="5" />
      <rect
        class="after"
        classList={{ beyond: props.load.fate === "soft" || props.load.fate === "trips" }}
        x="0"
        y="10"
        width={of(props.load.after)}
        height="5"
      />
      <Show when={props.load.peak}>{(peak) => <rect class="peak" x="0" y="10" width={of(peak())} height="5" />}</Show>
      <Show when={mark()}>{(x) => <line class="mark" x1={x()} x2={x()} y1="0" y2="18" />}</Show>
    </svg>
  );
}
