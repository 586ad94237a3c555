// What happened to a machine and its box, each with its cause.

import { createMemo, createResource, For, Show } from "solid-js";
import { look } from "../api/client";
import type { Live } from "../api/live";
import type { EventView, Me } from "../api/types";
import { clock, local } from "../view/words";
import { happened } from "./happened";

/** Latest events of the daemon that are looked through. */
const REACH = 1000;
/** Most that are shown. */
const MOST = 40;

export function Happened(props: { live: Live; name: string; place: string | null; created: string }) {
  const [before] = createResource(async () => {
    const { event } = await look<Me>("/v1/me");
    return (await look<EventView[]>(`/v1/events?after=${Math.max(0, (event ?? 0) - REACH)}`)).body ?? [];
  });
  const all = createMemo(() =>
    happened([...(before.error ? [] : (before.latest ?? [])), ...props.live.house.events], props),
  );
  const now = () => new Date(props.live.now());
  return (
    <section>
      <h2>Events</h2>
      <ol class="events">
        <For each={all().slice(0, MOST)} fallback={<li>None are kept.</li>}>
          {(event) => (
            <li classList={{ loud: event.level === "warning" || event.level === "error" }}>
              <time datetime={event.at}>{clock(new Date(event.at))}</time>
              <span>
                <b>{event.about}</b> {local(event.what, now())}
                <Show when={event.because}>
                  {(because) => <span class="soft"> because {local(because(), now())}</span>}
                </Show>
                <span class="soft"> · {event.by}</span>
              </span>
            </li>
          )}
        </For>
      </ol>
      <p class="lede">
        <code>busbar dmesg</code>
      </p>
    </section>
  );
}
