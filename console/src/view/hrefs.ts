// Where the things that pages name are looked at.

/** Where a place is looked at: `r1/u12` and its parts in their rack, `r1` as a whole. */
export const placeHref = (place: string): `/${string}` => {
  const [rack = "", slot] = place.split("/");
  return slot === undefined ? `/${rack}` : `/${rack}#${slot}`;
};

/** The page of a machine. */
export const machineHref = (name: string): `/${string}` => `/machines/${name}`;
