// The address is the state: every view is a link, and every change of it goes through here.

import { createMemo, createRoot, createSignal } from "solid-js";
import { PAGES } from "../pages";
import { read, type View, write } from "./view";

const SEGMENTS = PAGES.map(({ segment }) => segment);

const here = () => location.pathname + location.search + location.hash;
const [address, setAddress] = createSignal(here());
addEventListener("popstate", () => setAddress(here()));

/** The path that is looked at. */
export const path = () => new URL(address(), location.origin).pathname;

// Each part of the view tells of its own changes alone: a new focus must not draw the racks anew.
const current = createRoot(() => {
  const parsed = createMemo(() => read(new URL(address(), location.origin), SEGMENTS));
  const part = <T>(get: (view: View) => T, equals: (a: T, b: T) => boolean = (a, b) => a === b) =>
    createMemo(() => get(parsed()), undefined, { equals });
  const racks = part(
    (view) => view.racks,
    (a, b) => a.join("+") === b.join("+"),
  );
  const [by, hl, table, rear, at, focus] = [
    part((view) => view.by),
    part((view) => view.hl),
    part((view) => view.table),
    part((view) => view.rear),
    part((view) => view.at),
    part((view) => view.focus),
  ];
  const view: View = {
    get racks() {
      return racks();
    },
    get by() {
      return by();
    },
    get hl() {
      return hl();
    },
    get table() {
      return table();
    },
    get rear() {
      return rear();
    },
    get at() {
      return at();
    },
    get focus() {
      return focus();
    },
  };
  return view;
});

/** One word of the address's query, as `kind` in `/events?kind=power`; null when it is not there. Pages other than Rack keep their view so. */
export const param = (name: string) => new URL(address(), location.origin).searchParams.get(name);

/** The address of the page that is looked at with these words of its query changed; null takes one out. */
export function withParams(changed: Record<string, string | null>): string {
  const url = new URL(address(), location.origin);
  for (const [name, value] of Object.entries(changed)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url.pathname + url.search + url.hash;
}

/** What is looked at. */
export const view = (): View => current;

/** Looks at something else; a step of the history unless `replace`. */
export function go(to: Partial<View> | string, options: { replace?: boolean } = {}) {
  const next = typeof to === "string" ? to : write({ ...current, ...to }, SEGMENTS);
  if (next === address()) return;
  try {
    history[options.replace ? "replaceState" : "pushState"](null, "", next);
  } catch {
    // browsers take so many a second only (an arrow that is held down): the next one tells the address of then
  }
  setAddress(next);
}

/** A link of the page itself, unless another window is wanted. */
export function follow(event: MouseEvent, to: Parameters<typeof go>[0]) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(typeof to === "string" ? to : { focus: null, ...to });
}
