// Where a place is drawn.

/** Where a place is drawn: `r1/u1` and its parts at `/r1#u1`, a rack at `/r1`. */
export function placeHref(place: string): string {
  const [rack = "", slot] = place.split("/");
  return slot === undefined ? `/${rack}` : `/${rack}#${slot}`;
}
