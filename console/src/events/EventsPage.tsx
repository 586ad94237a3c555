// Everything that happened: live, filtered, with what it followed from.

import { createEffect, createMemo, createSignal, onCleanup, onMount, Show } from "solid-js";
import { createWatch } from "../api/watch";
import type { EventView } from "../api/types";
import type { PageProps } from "../pages";
import { follow, go, param, withParams } from "../view/router";
import { headline } from "./days";
import { New, Older } from "./Ends";
import { createFeed } from "./feed";
import { Filters, filter } from "./Filters";
import { Lines } from "./Lines";
import { asked, told } from "./query";
import "./events.css";

/** Pixels from the end where new lines come that still count as being there. */
const NEAR = 48;

export function EventsPage(props: PageProps) {
  const newest = () => param("order") !== "oldest";
  const [away, setAway] = createSignal(false);
  const [paused, pause] = createSignal(false);
  const feed = createFeed(
    props.live,
    () => asked(filter()),
    () => paused() || away(),
  );
  // the last day's warnings and errors, whatever is filtered
  const loud = createWatch<EventView[]>(
    props.live,
    () => `/v1/events?level=warning,error&before=${Number.MAX_SAFE_INTEGER}`,
    { every: 5000, key: "sequence" },
  );
  const racks = createMemo(() => props.live.house.racks.map(({ name }) => name));
  const page = document.documentElement;
  const end = () => (newest() ? page.scrollTop : page.scrollHeight - page.clientHeight - page.scrollTop);
  const scrolled = () => setAway(end() > NEAR);
  onMount(() => addEventListener("scroll", scrolled, { passive: true }));
  onCleanup(() => removeEventListener("scroll", scrolled));
  const toEnd = () => {
    pause(false);
    setAway(false);
    scrollTo({ top: newest() ? 0 : page.scrollHeight });
  };
  // as `dmesg -w`: the last line stays in view
  createEffect(() => {
    feed.events();
    if (!newest() && !away() && !paused()) queueMicrotask(() => scrollTo({ top: page.scrollHeight }));
  });
  const order = () => withParams({ order: newest() ? "oldest" : null });
  return (
    <div class="sheet log">
      <div>
        <h1 tabindex={-1}>{loud.value() ? headline(loud.value() ?? [], props.live.now()) : "Events"}</h1>
        <p class="lede">
          Shown: {told(filter())}.{" "}
          <Show
            when={filter().level !== "loud"}
            fallback={
              <a class="to" href="/events" onClick={(event) => follow(event, "/events")}>
                All events
              </a>
            }
          >
            <a class="to" href="/events?level=loud" onClick={(event) => follow(event, "/events?level=loud")}>
              Only warnings and errors
            </a>
          </Show>
        </p>
      </div>
      <div class="bar">
        <Filters levels={true} />
        <span class="grow" />
        <button type="button" onClick={() => go(order(), { replace: true })}>
          {newest() ? "newest first" : "oldest first"}
        </button>
        <button type="button" aria-pressed={paused()} onClick={() => (paused() ? toEnd() : pause(true))}>
          pause
        </button>
        <code class="call">busbar dmesg -w</code>
      </div>
      <Show when={feed.trouble()}>{(it) => <p class="said failed">{it()}</p>}</Show>
      <Show when={feed.events()} fallback={<p aria-busy="true">…</p>}>
        {(events) => (
          <>
            <Show when={newest()} fallback={<Older feed={feed} />}>
              <New count={feed.waiting().length} onShow={toEnd} />
            </Show>
            <Show
              when={events().length > 0}
              fallback={<p>Nothing of that kind happened, as far back as events are kept.</p>}
            >
              <Lines label={told(filter())} events={events()} newest={newest()} audit={false} racks={racks()} />
            </Show>
            <Show when={newest()} fallback={<New count={feed.waiting().length} onShow={toEnd} />}>
              <Older feed={feed} />
            </Show>
          </>
        )}
      </Show>
    </div>
  );
}
