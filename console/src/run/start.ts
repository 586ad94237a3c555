// Where asking for a machine begins: on the box that is looked at, when it is free.

import type { Kept } from "../api/live";
import { href } from "./wish";

/** The address of a run from what is looked at. */
export function start(kept: Record<string, Kept>, focus: string | null): `/${string}` {
  const box = Object.values(kept)
    .flatMap(({ elevation }) => elevation.boxes)
    .find(({ place }) => place === focus);
  const free = box?.kind === "server" && box.found && box.machine === null && box.armed && box.cordoned === null;
  return href(free ? { on: box.place } : {});
}
