// One answer of the API, kept current while its page is looked at: asked again with every look of the house (`live.ts`), so a page that
// is hidden, or whose link is lost, asks nothing.

import { createEffect, createSignal, on, onCleanup } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import { Lost, look, words } from "./client";
import type { Live } from "./live";

export interface Watched<T> {
  /** undefined until it came. While it is asked again, and when that fails, what came last stays. */
  value: () => T | undefined;
  /** What was answered instead, in words; null when all is well. A lost link is told by the frame alone. */
  trouble: () => string | null;
  /** When the value came, milliseconds of this machine's clock. */
  came: () => number;
  /** Asks again at once. */
  refresh: () => void;
}

/** Keeps the answer of `path` current; null asks nothing. `every`: milliseconds between two looks at least, for what changes slowly.
 * `key`: by what elements of lists are known again, so that rows stay the same elements of the page. */
export function createWatch<T>(
  live: Live,
  path: () => string | null,
  { every = 0, key = "name" }: { every?: number; key?: string } = {},
): Watched<T> {
  const [kept, keep] = createStore<{ it: T | undefined }>({ it: undefined });
  const [trouble, setTrouble] = createSignal<string | null>(null);
  const [came, setCame] = createSignal(0);
  let asking: AbortController | null = null;
  let asked = Number.NEGATIVE_INFINITY;
  const ask = async () => {
    const of = path();
    if (of === null) return;
    asking?.abort();
    const mine = new AbortController();
    asking = mine;
    asked = performance.now();
    try {
      const { body } = await look<T>(of, { signal: mine.signal });
      if (mine.signal.aborted || body === null) return;
      keep("it", reconcile(body, { key, merge: false }) as never);
      setCame(Date.now());
      setTrouble(null);
    } catch (error) {
      if (mine.signal.aborted || error instanceof Lost) return;
      setTrouble(words(error));
    } finally {
      if (asking === mine) asking = null;
    }
  };
  createEffect(
    on(path, () => {
      // another thing: what is kept of the one before says nothing of it
      asking?.abort();
      asking = null;
      keep("it", undefined as never);
      setTrouble(null);
      void ask();
    }),
  );
  createEffect(
    on(
      live.turn,
      () => {
        if (asking === null && performance.now() - asked >= every) void ask();
      },
      { defer: true },
    ),
  );
  onCleanup(() => asking?.abort());
  return { value: () => kept.it, trouble, came, refresh: () => void ask() };
}
