// What is drawn, kept current: the elevation of every rack in view, asked again by `pace`, and at once when the stream of
// events tells of a change.

import { batch, createEffect, createSignal, on, onCleanup } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import { look, Lost, Refused, words } from "./client";
import { fresh, looked, type Pace, took, wait } from "./pace";
import type { Elevation, EventView, Me, RackRow } from "./types";

export interface Ask {
  /** Whether racks are drawn; else only the daemon itself is looked at. */
  drawn: boolean;
  racks: string[];
  by: string;
  at: string | null;
}

export interface Kept {
  elevation: Elevation;
  /** When it came, by this machine's clock; a "nothing changed" does not renew it. */
  came: number;
}

export type Link = { state: "waiting" } | { state: "live" } | { state: "lost"; since: number } | { state: "login" };

/** Milliseconds between tries while the link is lost, or somebody logs in in another window. */
const RETRY = 1000;
/** Milliseconds that a frame may take before it is not waited for. */
const HIDDEN = 200;
/** Latest events that are kept. */
const EVENTS = 50;

/** Everything a page knows of the daemon. */
export interface House {
  me: Me | null;
  racks: RackRow[];
  kept: Record<string, Kept>;
  link: Link;
  /** What was answered instead of a drawing: an unknown rack, say. */
  trouble: string | null;
  /** Newest last. */
  events: EventView[];
}

/** A window that is hidden has no frames. */
const nextFrame = () =>
  new Promise<void>((then) => {
    requestAnimationFrame(() => then());
    setTimeout(then, HIDDEN);
  });

export function createHouse(ask: () => Ask) {
  const [house, set] = createStore<House>({
    me: null,
    racks: [],
    kept: {},
    link: { state: "waiting" },
    trouble: null,
    events: [],
  });
  const [now, setNow] = createSignal(Date.now());
  // counts looks that were answered: whatever else a page looks at follows it
  const [turn, setTurn] = createSignal(0);
  // a tag is good only for the very view that is drawn
  const tags = new Map<string, { path: string; etag: string | null }>();
  let pace: Pace = fresh(performance.now());
  let told = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking: AbortController | null = null;
  let heard = Date.now();
  let ended = false;
  // one rack changes in a frame: ten at once would keep the page still for several
  let drawing = false;
  // number of the latest event when the page came
  let latest: number | null = null;

  const answered = () => {
    heard = Date.now();
    if (house.link.state !== "live") set("link", { state: "live" });
  };

  function failed(error: unknown) {
    if (error instanceof Refused && error.problem.status === 401) {
      // whoever comes back may be somebody else, and the daemon another
      set("me", null);
      set("events", []);
      if (house.link.state !== "login") set("link", { state: "login" });
    } else if (error instanceof Lost) {
      if (house.link.state !== "lost") set("link", reconcile({ state: "lost", since: heard }));
    } else {
      set("trouble", words(error));
    }
  }

  async function elevation(rack: string, { by, at }: Ask, signal: AbortSignal) {
    const path = `/v1/racks/${rack}/elevation?by=${by}${at === null ? "" : `&at=${encodeURIComponent(at)}`}`;
    const last = tags.get(rack);
    const answer = await look<Elevation>(path, { etag: last?.path === path ? last.etag : null, signal });
    if (signal.aborted || answer.body === null) return;
    const { body, etag } = answer;
    const came = Date.now();
    if (house.kept[rack]) {
      while (drawing) await nextFrame();
      if (signal.aborted) return;
      drawing = true;
      void nextFrame().then(() => {
        drawing = false;
      });
      batch(() => {
        set("kept", rack, "elevation", reconcile(body, { key: "place" }));
        set("kept", rack, "came", came);
      });
    } else {
      set("kept", rack, { elevation: body, came });
    }
    tags.set(rack, { path, etag });
  }

  async function once() {
    asking?.abort();
    const mine = new AbortController();
    asking = mine;
    const begun = performance.now();
    pace = looked(pace, begun);
    told = false;
    try {
      if (house.me === null) {
        const { body, event } = await look<Me>("/v1/me", mine);
        set("me", body);
        latest = event;
      }
      const wanted = ask();
      const rows = look<RackRow[]>("/v1/racks", mine).then(({ body }) => {
        if (body && !mine.signal.aborted) set("racks", reconcile(body, { key: "name" }));
      });
      // which racks there are seldom changes: whoever knows them doesn't wait to be told
      const known = wanted.racks.length > 0 ? wanted.racks : house.racks.map(({ name }) => name);
      if (known.length === 0) await rows;
      const all = known.length > 0 ? known : house.racks.map(({ name }) => name);
      const names = wanted.drawn ? all : [];
      await Promise.all([rows, ...names.map((rack) => elevation(rack, wanted, mine.signal))]);
      if (mine.signal.aborted) return;
      set("trouble", null);
      answered();
      setTurn((count) => count + 1);
      // what the browser takes to draw it counts too: it is done when the frame after it begins
      requestAnimationFrame(() =>
        setTimeout(() => {
          const end = performance.now();
          pace = took(pace, end - begun, end);
        }),
      );
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error instanceof Refused) answered();
      failed(error);
    } finally {
      if (asking === mine) {
        asking = null;
        next();
      }
    }
  }

  /** Plans the next look; the one under way plans it itself when it ends. */
  function next() {
    clearTimeout(timer);
    if (ended || asking || document.hidden) return;
    // the past does not change
    if (ask().drawn && ask().at !== null && house.link.state === "live" && !told) return;
    const pause =
      house.link.state === "lost" || house.link.state === "login" ? RETRY : wait(pace, told, performance.now());
    timer = setTimeout(once, pause);
  }

  const stir = () => {
    told = true;
    next();
  };

  createEffect(
    on(
      () => JSON.stringify(ask()),
      () => {
        // another view is asked for at once, whatever is under way
        asking?.abort();
        asking = null;
        clearTimeout(timer);
        void once();
      },
    ),
  );

  // The stream of events: it comes back by itself, and goes on after the last one that was heard.
  let stream: EventSource | null = null;
  const listen = () => {
    stream?.close();
    // the latest few are for reading; the browser goes on after the last one by itself when the stream breaks
    const after = house.events.at(-1)?.sequence ?? Math.max(0, (latest ?? 0) - EVENTS);
    stream = new EventSource(`/v1/events?after=${after}`);
    stream.addEventListener("event", (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as EventView;
      set("events", (all) => [...all, event].slice(-EVENTS));
      stir();
    });
    stream.onerror = () => {
      // a look finds out what is wrong: the link, or the login
      if (house.link.state !== "lost") stir();
      if (stream?.readyState === EventSource.CLOSED) stream = null;
    };
  };
  createEffect(() => {
    if (house.link.state === "live" && (stream === null || stream.readyState === EventSource.CLOSED)) listen();
    if (house.link.state === "login") stream?.close();
  });

  const seen = () => {
    if (!document.hidden) stir();
  };
  document.addEventListener("visibilitychange", seen);
  const second = setInterval(() => setNow(Date.now()), 1000);
  onCleanup(() => {
    ended = true;
    asking?.abort();
    stream?.close();
    clearTimeout(timer);
    clearInterval(second);
    document.removeEventListener("visibilitychange", seen);
  });
  return { house, now, turn, refresh: stir };
}

export type Live = ReturnType<typeof createHouse>;
