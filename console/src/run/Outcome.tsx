// What would come of a wish: where it would go, why there, and what it may draw; or why not, and what would fit.

import { For, Show } from "solid-js";
import type { Live } from "../api/live";
import type { Problem } from "../api/types";
import { createWatch } from "../api/watch";
import { digits, Head } from "../parts/Head";
import { MachineLink, PlaceLink } from "../parts/Links";
import { follow, withParams } from "../view/router";
import { watts } from "../view/words";
import { forecast } from "./pools";
import { params, way } from "./wish";

export interface Planned {
  name: string;
  status: { place?: string | null; reason: string };
}

export interface Free {
  rows: { resource: string; total: number | null; used: number | null; free: number | null; notes: string[] }[];
}

export interface Settings {
  caps: { id: string; watts?: number | null; highest?: number | null }[];
}

export function Outcome(props: {
  live: Live;
  planned: Planned | null;
  problem: Problem | string | null;
  /** Why nothing is planned. */
  waits: string | null;
  /** Watts that the box draws now. */
  draws: number | null;
}) {
  const text = (said: Problem | string) =>
    typeof said === "string" ? said : said.hint ? `${said.detail} — ${said.hint}` : said.detail;
  const refusal = () => {
    const it = props.problem;
    return it !== null && typeof it === "object" ? it.refusal : undefined;
  };
  return (
    <section class="outcome" aria-live="polite">
      <h2>The plan</h2>
      <Show when={props.planned}>
        {(it) => (
          <>
            <Show
              when={it().status.place}
              fallback={
                <p>
                  <b>{it().name}</b> would wait: {it().status.reason}.
                </p>
              }
            >
              {(place) => (
                <p>
                  <b>{it().name}</b> on <PlaceLink place={place()} />: {it().status.reason}. Nothing is changed yet.
                </p>
              )}
            </Show>
            <Show when={it().status.place}>
              {(place) => <Power live={props.live} place={place()} draws={props.draws} />}
            </Show>
          </>
        )}
      </Show>
      <Show when={props.problem}>
        {(it) => (
          <>
            <p class="loud">Refused: {refusal()?.headline ?? text(it())}.</p>
            <Show when={(refusal()?.fits_if.length ?? 0) > 0}>
              <p>It fits if</p>
              <ul class="ways">
                <For each={refusal()?.fits_if.map(way)}>
                  {({ text, note, fills, frees }) => {
                    const to = fills === null ? null : (withParams(params(fills)) as `/${string}`);
                    return (
                      <li>
                        <Show when={to} fallback={<code>{text}</code>}>
                          {(href) => (
                            <a class="to" href={href()} onClick={(event) => follow(event, href())}>
                              <code>{text}</code>
                            </a>
                          )}
                        </Show>
                        <span class="soft">
                          {note}
                          <Show when={frees}>
                            {(name) => (
                              <>
                                {" "}
                                (<MachineLink name={name()} />)
                              </>
                            )}
                          </Show>
                        </span>
                      </li>
                    );
                  }}
                </For>
              </ul>
            </Show>
          </>
        )}
      </Show>
      <Show when={props.planned === null && props.problem === null}>
        <p class="soft">{props.waits === null ? "…" : `Not planned: ${props.waits}.`}</p>
      </Show>
    </section>
  );
}

/** What the rack draws now, and at most with this machine. */
function Power(props: { live: Live; place: string; draws: number | null }) {
  const rack = () => props.place.split("/")[0];
  const free = createWatch<Free>(props.live, () => `/v1/free?rack=${rack()}`, { key: "resource" });
  // asked once a place: it is read from the BMC
  const settings = createWatch<Settings>(props.live, () => `/v1/settings/${props.place}`, {
    every: Number.POSITIVE_INFINITY,
    key: "id",
  });
  const row = () => free.value()?.rows.find(({ resource }) => resource === "power");
  const told = () => forecast(row(), props.draws, settings.value()?.caps ?? []);
  const number = (value: number | null) => (value === null ? "not known" : watts(value));
  return (
    <table>
      <Head of={[`power of ${rack()}`, digits("watts"), "by"]} />
      <tbody>
        <tr>
          <th scope="row">drawn now</th>
          <td class="value">{number(told().used)}</td>
          <td class="soft">readings</td>
        </tr>
        <tr>
          <th scope="row">drawn then, at most</th>
          <td class="value">{number(told().atMost)}</td>
          <td class="soft">
            {told().bound === null
              ? "nothing bounds what this box draws"
              : `${props.place} at ${watts(told().bound ?? 0)}, ${told().by}`}
          </td>
        </tr>
        <tr>
          <th scope="row">can be carried</th>
          <td class="value">{number(told().total)}</td>
          <td class="soft">ratings of PDUs</td>
        </tr>
        <tr>
          <th scope="row">neither promised nor drawn</th>
          <td class="value">{number(row()?.free ?? null)}</td>
          <td class="soft">{row()?.free == null ? (row()?.notes[0] ?? "") : "caps, and readings of free boxes"}</td>
        </tr>
      </tbody>
    </table>
  );
}
