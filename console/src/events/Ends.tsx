// The ends of a list of events: what is new and waits, and what is older.

import { Show } from "solid-js";
import type { Feed } from "./feed";

export function New(props: { count: number; onShow: () => void }) {
  return (
    <Show when={props.count > 0}>
      <button type="button" class="main new" onClick={() => props.onShow()}>
        {props.count} new
      </button>
    </Show>
  );
}

export function Older(props: { feed: Feed }) {
  return (
    <Show when={!props.feed.begun()} fallback={<p class="lede">Nothing older is kept: the last 10 000 events are.</p>}>
      <button type="button" class="older" onClick={() => props.feed.older()}>
        older
      </button>
    </Show>
  );
}
