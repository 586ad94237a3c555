// Who did what, and who could: the audit log, and for admins the tokens.

import { createMemo, createSignal, onCleanup, onMount, Show } from "solid-js";
import type { EventView } from "../api/types";
import { createWatch } from "../api/watch";
import { createFeed } from "../events/feed";
import { Filters, filter } from "../events/Filters";
import { Lines } from "../events/Lines";
import { New, Older } from "../events/Ends";
import { asked, told } from "../events/query";
import type { PageProps } from "../pages";
import { Tokens } from "./Tokens";
import { lines, whoDid } from "./who";
import "../events/events.css";
import "./audit.css";

export function AuditPage(props: PageProps) {
  const [away, setAway] = createSignal(false);
  const [copied, setCopied] = createSignal(false);
  const feed = createFeed(props.live, () => asked(filter("audit")), away);
  const day = createWatch<EventView[]>(props.live, () => `/v1/events?level=audit&before=${Number.MAX_SAFE_INTEGER}`, {
    every: 5000,
    key: "sequence",
  });
  const racks = createMemo(() => props.live.house.racks.map(({ name }) => name));
  const admin = () => (props.live.house.me?.role === "admin" ? props.live.house.me : null);
  const scrolled = () => setAway(document.documentElement.scrollTop > 48);
  onMount(() => addEventListener("scroll", scrolled, { passive: true }));
  onCleanup(() => removeEventListener("scroll", scrolled));
  const copy = async (events: EventView[]) => {
    await navigator.clipboard.writeText(lines(events, new Date(props.live.now())));
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <div class="sheet log who">
      <div>
        <h1 tabindex={-1}>{day.value() ? whoDid(day.value() ?? [], props.live.now()) : "Audit"}</h1>
        <p class="lede">
          Every write to hardware and every order of a user, told before it is done. Shown: {told(filter("audit"))}. By
          whom is a token’s name; from which address it came is not recorded.
        </p>
      </div>
      <div class="sides">
        <div class="log">
          <div class="bar">
            <Filters levels={false} />
            <span class="grow" />
            <Show when={feed.events()}>
              {(events) => (
                <button type="button" onClick={() => void copy(events())}>
                  {copied() ? "copied" : `copy ${events().length} lines`}
                </button>
              )}
            </Show>
          </div>
          <Show when={feed.trouble()}>{(it) => <p class="said failed">{it()}</p>}</Show>
          <Show when={feed.events()} fallback={<p aria-busy="true">…</p>}>
            {(events) => (
              <>
                <New count={feed.waiting().length} onShow={() => scrollTo({ top: 0 })} />
                <Show when={events().length > 0} fallback={<p>Nobody did anything of that kind.</p>}>
                  <Lines label={told(filter("audit"))} events={events()} newest={true} audit={true} racks={racks()} />
                </Show>
                <Older feed={feed} />
              </>
            )}
          </Show>
        </div>
        <Show when={admin()}>{(me) => <Tokens live={props.live} me={me().name} />}</Show>
      </div>
    </div>
  );
}
