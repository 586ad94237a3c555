// Events as lines under their days, each with what it followed from, and the whole chain of the one that the address names.

import { createMemo, For, Show } from "solid-js";
import type { EventView } from "../api/types";
import { Head } from "../parts/Head";
import { follow, param, withParams } from "../view/router";
import { clock } from "../view/words";
import { aboutHref } from "./about";
import { Chain } from "./Chain";
import { roots } from "./chain";
import { days } from "./days";

export function About(props: { about: string; racks: readonly string[] }) {
  const href = () => aboutHref(props.about, props.racks);
  return (
    <Show when={href()} fallback={props.about}>
      {(to) => (
        <a class="to" href={to()} onClick={(event) => follow(event, to())}>
          {props.about}
        </a>
      )}
    </Show>
  );
}

export function Lines(props: { label: string; events: EventView[]; newest: boolean; audit: boolean; racks: string[] }) {
  const causes = createMemo(() => roots(props.events));
  const open = () => Number.parseInt(param("event") ?? "", 10);
  const linked = (event: EventView) => event.cause !== undefined || causes().has(event.sequence);
  const chainHref = (event: EventView) => withParams({ event: open() === event.sequence ? null : `${event.sequence}` });
  const columns = () => (props.audit ? ["time", "who", "about", "what"] : ["time", "level", "about", "what", "by"]);
  return (
    <table class="lines">
      <caption class="unseen">{props.label}</caption>
      <Head of={columns()} />
      <For each={days(props.events, props.newest)}>
        {(day) => (
          <tbody>
            <tr class="day">
              <th scope="rowgroup" colSpan={columns().length}>
                {day.title}
              </th>
            </tr>
            <For each={day.events}>
              {(event) => (
                <>
                  <tr
                    class={event.level}
                    classList={{ picked: open() === event.sequence }}
                    id={`event-${event.sequence}`}
                  >
                    <th scope="row" class="when">
                      <time dateTime={event.at} title={`event ${event.sequence}, ${event.at}`}>
                        {clock(new Date(event.at))}
                      </time>
                    </th>
                    <td class={props.audit ? "by" : "level"}>{props.audit ? event.by : event.level}</td>
                    <td class="about">
                      <About about={event.about} racks={props.racks} />
                    </td>
                    <td class="what">
                      {event.what}
                      <Show when={event.because}>
                        <span class="because"> because {event.because}</span>
                      </Show>
                      <Show when={linked(event)}>
                        {" "}
                        <a
                          class="linked"
                          href={chainHref(event)}
                          aria-expanded={open() === event.sequence}
                          aria-label={`chain of ${event.about}: ${event.what}`}
                          onClick={(click) => follow(click, chainHref(event))}
                        >
                          {event.cause === undefined ? "effects" : "cause"}
                        </a>
                      </Show>
                    </td>
                    <Show when={!props.audit}>
                      <td class="by">{event.by}</td>
                    </Show>
                  </tr>
                  <Show when={open() === event.sequence}>
                    <tr class="open">
                      <td colSpan={columns().length}>
                        <Chain of={event} racks={props.racks} />
                      </td>
                    </tr>
                  </Show>
                </>
              )}
            </For>
          </tbody>
        )}
      </For>
    </table>
  );
}
