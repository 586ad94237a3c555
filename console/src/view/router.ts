// The address is the state: every view is a link, and every change of it goes through here.

import { createSignal } from "solid-js";
import { read, type View, write } from "./view";

const [address, setAddress] = createSignal(location.pathname + location.search + location.hash);
addEventListener("popstate", () => setAddress(location.pathname + location.search + location.hash));

/** The path that is looked at. */
export const path = () => new URL(address(), location.origin).pathname;

/** What is looked at. */
export const view = (): View => read(new URL(address(), location.origin));

/** Looks at something else; a step of the history unless `replace`. */
export function go(to: Partial<View> | string, options: { replace?: boolean } = {}) {
  const next = typeof to === "string" ? to : write({ ...view(), ...to });
  if (next === address()) return;
  history[options.replace ? "replaceState" : "pushState"](null, "", next);
  setAddress(next);
}
