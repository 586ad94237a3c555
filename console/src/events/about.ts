// What an event is about, as a link: machines and places have pages, and so have images and tokens.

import { placeHref } from "../view/hrefs";

const NAME = /^[a-z0-9][a-z0-9-]*$/;
const PLACE = /^[a-z0-9][a-z0-9-]*\/\S+$/;

/** Where to read more; null when there is nowhere. */
export function aboutHref(about: string, racks: readonly string[]): string | null {
  if (PLACE.test(about) || racks.includes(about)) return placeHref(about);
  if (about.startsWith("image ")) return "/images";
  if (about.startsWith("token ")) return "/audit";
  // of single names, machines' are all that is left
  return about !== "busbar" && NAME.test(about) ? `/machines/${about}` : null;
}
