// Which events are wanted, as the address holds it and the API takes it.

export interface Filter {
  /** `audit`, `info`, `warning`, `error`, or `loud` for the last two; empty is all. */
  level: string;
  about: string;
  by: string;
  text: string;
}

export const LEVELS = [
  { id: "", label: "all", said: "all events", asked: null },
  { id: "loud", label: "warnings and errors", said: "warnings and errors", asked: "warning,error" },
  { id: "error", label: "errors", said: "errors", asked: "error" },
  { id: "info", label: "the ordinary", said: "ordinary events", asked: "info" },
  { id: "audit", label: "audit", said: "the audit log", asked: "audit" },
] as const;

const level = ({ level: of }: Filter) => LEVELS.find(({ id }) => id === of) ?? LEVELS[0];

/** The rest of a query of `/v1/events`. */
export function asked(filter: Filter): string {
  const query = new URLSearchParams();
  const { asked: levels } = level(filter);
  if (levels) query.set("level", levels);
  for (const name of ["about", "by", "text"] as const) {
    const value = filter[name].trim();
    if (value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text === "" ? "" : `&${text}`;
}

/** The same in words. */
export function told(filter: Filter): string {
  const { about, by, text } = filter;
  return [
    level(filter).said,
    ...(about.trim() ? [`about ${about.trim()}`] : []),
    ...(by.trim() ? [`by ${by.trim()}`] : []),
    ...(text.trim() ? [`with “${text.trim()}”`] : []),
  ].join(" ");
}
