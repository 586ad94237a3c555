// Events as they come, and further back: what the filter takes, from the daemon.

import { createEffect, createMemo, createSignal, on, onCleanup } from "solid-js";
import { Lost, look, words } from "../api/client";
import type { Live } from "../api/live";
import type { EventView } from "../api/types";

/** Events of one step back. */
const PAGE = 200;
/** Most that the daemon answers at once. */
const FULL = 1000;
/** Most that are kept in the page while new ones come. */
const KEPT = 5000;
/** A number that no event has reached. */
const END = Number.MAX_SAFE_INTEGER;

/** `wanted`: what follows `/v1/events?…`, beginning with `&` when it is not empty. `held`: whether new ones wait for the reader. */
export function createFeed(live: Live, wanted: () => string, held: () => boolean) {
  // the address says more than the filter: only another filter asks anew
  const query = createMemo(wanted);
  const [events, setEvents] = createSignal<EventView[] | null>(null);
  const [waiting, setWaiting] = createSignal<EventView[]>([]);
  const [begun, setBegun] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  const [trouble, setTrouble] = createSignal<string | null>(null);
  let asking = new AbortController();
  // the latest number that was asked past: what a filter leaves out is not asked for again
  let past = 0;

  async function get(path: string): Promise<EventView[] | null> {
    const { signal } = asking;
    setBusy(true);
    try {
      const { body } = await look<EventView[]>(path, { signal });
      if (signal.aborted) return null;
      setTrouble(null);
      return body;
    } catch (error) {
      if (!signal.aborted && !(error instanceof Lost)) setTrouble(words(error));
      return null;
    } finally {
      // who asked since then is not done
      if (!signal.aborted) setBusy(false);
    }
  }

  async function older() {
    const first = events()?.[0]?.sequence ?? END;
    if (busy() || begun()) return;
    const found = await get(`/v1/events?before=${first}&limit=${PAGE}${query()}`);
    if (!found) return;
    setEvents((all) => [...found, ...(all ?? [])]);
    if (found.length < PAGE) setBegun(true);
  }

  const newest = () => live.house.events.at(-1)?.sequence ?? 0;

  async function newer() {
    if (busy()) return;
    // the first look failed: it is tried again at the pace of the page
    if (events() === null) return older();
    const last = waiting().at(-1) ?? events()?.at(-1);
    const after = Math.max(past, last?.sequence ?? 0);
    const told = newest();
    if (told <= after) return;
    const found = await get(`/v1/events?after=${after}${query()}`);
    if (!found) return;
    const reached = found.at(-1)?.sequence ?? 0;
    // a full answer has more behind it
    past = found.length < FULL ? Math.max(told, reached) : reached;
    setWaiting((all) => [...all, ...found]);
    if (!held()) release();
    if (newest() > past) void newer();
  }

  /** Shows those that waited. */
  function release() {
    const all = waiting();
    if (all.length === 0) return;
    setWaiting([]);
    setEvents((shown) => {
      const whole = [...(shown ?? []), ...all];
      if (whole.length > KEPT) setBegun(false);
      return whole.slice(-KEPT);
    });
  }

  async function restart() {
    asking.abort();
    asking = new AbortController();
    past = 0;
    setBusy(false);
    setBegun(false);
    setWaiting([]);
    setEvents(null);
    await older();
  }

  createEffect(on(query, () => void restart()));
  createEffect(on([newest, live.turn], () => void newer(), { defer: true }));
  createEffect(() => {
    if (!held()) release();
  });
  onCleanup(() => asking.abort());
  return { events, waiting, begun, busy, trouble, older: () => void older() };
}

export type Feed = ReturnType<typeof createFeed>;
