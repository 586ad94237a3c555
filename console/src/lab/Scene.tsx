// What Busbar sees of it: the rack's drawing, small and live, where a box or a PDU is picked; and its latest events.

import { createMemo, createSignal, For, Show } from "solid-js";
import type { Live } from "../api/live";
import type { Elevation } from "../api/types";
import { Drawing } from "../draw/Drawing";
import { next, plan } from "../draw/layout";
import { lit } from "../draw/lit";
import { follow } from "../view/router";
import { clock, local, watts } from "../view/words";

/** Pixels of one unit, and across. */
const UNIT = 13;
const WIDE = 420;
/** Events that are shown. */
const LATEST = 10;

export function Scene(props: {
  live: Live;
  elevation: Elevation;
  came: number;
  picked: string | null;
  onPick: (place: string) => void;
}) {
  const [hovered, hover] = createSignal<string | null>(null);
  let stage: HTMLDivElement | undefined;
  const drawn = createMemo(() => plan(props.elevation, { width: Math.min(WIDE, innerWidth - 20), unit: UNIT }));
  const bright = () => {
    const place = hovered();
    return place === null ? null : lit(props.elevation, place);
  };
  const known = () => {
    const { boxes, flanks, feet } = props.elevation;
    return [...boxes, ...flanks, ...feet].map(({ place }) => place);
  };
  const focus = () => (props.picked !== null && known().includes(props.picked) ? props.picked : null);
  const stop = () => focus() ?? known()[0] ?? null;
  const arrow = (event: KeyboardEvent) => {
    const from = stop();
    const to = from === null ? null : next([drawn()], from, event.key);
    if (to === null || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    stage?.querySelector<SVGGElement>(`[data-place="${CSS.escape(to)}"]`)?.focus();
  };
  return (
    <figure class="scene" aria-label={`What Busbar sees of ${props.elevation.rack}`}>
      <figcaption>
        <span>What Busbar sees</span>
        <a href={`/${props.elevation.rack}`} onClick={(event) => follow(event, { racks: [props.elevation.rack] })}>
          {props.elevation.rack}
        </a>
        <span>{props.elevation.totals.watts === null ? "no reading" : watts(props.elevation.totals.watts)}</span>
        <Show when={props.elevation.totals.unknown > 0}>
          <span>{props.elevation.totals.unknown} don't tell</span>
        </Show>
      </figcaption>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: arrows move the focus among the boxes inside, which are what is interacted with */}
      <div
        class="stage"
        ref={(element) => {
          stage = element;
        }}
        onKeyDown={arrow}
      >
        <Drawing
          elevation={props.elevation}
          plan={drawn()}
          came={props.came}
          now={props.live.now()}
          focus={focus()}
          stop={stop()}
          lit={bright()}
          meant={() => true}
          onHover={hover}
          onFocus={(place) => props.onPick(place)}
          onBlur={() => undefined}
        />
      </div>
    </figure>
  );
}

export function Latest(props: { live: Live }) {
  return (
    <section>
      <h2>Latest events</h2>
      <ol class="events">
        <For each={props.live.house.events.slice(-LATEST).reverse()}>
          {(event) => (
            <li classList={{ loud: event.level === "warning" || event.level === "error" }}>
              <time datetime={event.at}>{clock(new Date(event.at))}</time>
              <span>
                <b>{event.about}</b> {local(event.what, new Date(props.live.now()))}
              </span>
            </li>
          )}
        </For>
      </ol>
    </section>
  );
}
