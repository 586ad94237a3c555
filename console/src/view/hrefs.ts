// Where the things that pages name are looked at.

/** Where a place is looked at: `r1/u12` in its rack, `r1` as a whole. */
export const placeHref = (place: string): `/${string}` => {
  const cut = place.indexOf("/");
  return cut < 0 ? `/${place}` : `/${place.slice(0, cut)}#${place.slice(cut + 1)}`;
};

/** The page of a machine. */
export const machineHref = (name: string): `/${string}` => `/machines/${name}`;
