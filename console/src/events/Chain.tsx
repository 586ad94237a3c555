// The chain of one event, asked of the daemon whole: a filter may have left out the rest of it.

import { createResource, For, Show } from "solid-js";
import { look } from "../api/client";
import type { EventView } from "../api/types";
import { clock } from "../view/words";
import { chain } from "./chain";
import { About } from "./Lines";

/** Steps that are gone up, at most. */
const UP = 20;

/** What it followed from, up to what began it, and everything since. */
async function fetched(event: EventView): Promise<EventView[]> {
  let first = event;
  for (let i = 0; i < UP && first.cause !== undefined && first.cause < first.sequence; i++) {
    const { body } = await look<EventView[]>(`/v1/events?after=${first.cause - 1}&limit=1`);
    const [cause] = body ?? [];
    // no longer kept
    if (cause?.sequence !== first.cause) break;
    first = cause;
  }
  const { body } = await look<EventView[]>(`/v1/events?after=${first.sequence - 1}`);
  return body ?? [];
}

export function Chain(props: { of: EventView; racks: string[] }) {
  const [all] = createResource(
    () => props.of,
    (of) => fetched(of).catch(() => [of]),
  );
  return (
    <Show when={all.state === "ready" && all()} fallback={<p aria-busy="true">…</p>}>
      {(found) => (
        <ol class="chain" aria-label="chain of causes">
          <For each={chain(found(), props.of.sequence)}>
            {({ event, depth }) => (
              <li class={`deep${Math.min(depth, 4)}`} aria-current={event.sequence === props.of.sequence}>
                <time dateTime={event.at}>{clock(new Date(event.at))}</time>{" "}
                <Show when={depth > 0}>
                  <span aria-hidden="true">→ </span>
                </Show>
                <About about={event.about} racks={props.racks} /> {event.what}
                <span class="because"> by {event.by}</span>
              </li>
            )}
          </For>
        </ol>
      )}
    </Show>
  );
}
