// Who types at a console, as one page sees it. The API tells the name of whoever has the pen and since when, not which of that name's
// windows: this page has it when it was given it, and until the pen that is told is another one.

export interface Holder {
  by: string;
  /** RFC 3339. */
  since: string;
}

export interface Pen {
  /** As the API told it last; null for nobody. */
  holder: Holder | null;
  /** Since when this page has it; `asked` from its being given until the API tells of it; null when it has it not. */
  mine: string | "asked" | null;
  /** Since when whoever had it when this page asked for it had it: answers that tell of that one tell of before. */
  before: string | null;
  /** Who took it from this page last. */
  taken: string | null;
}

export const NOBODY: Pen = { holder: null, mine: null, before: null, taken: null };

/** The API told who has it. */
export function told(pen: Pen, holder: Holder | null, me: string): Pen {
  if (pen.mine === null) return { ...pen, holder };
  if (pen.mine === "asked") {
    if (holder === null || holder.since === pen.before) return pen;
    return holder.by === me
      ? { ...pen, holder, mine: holder.since, taken: null }
      : { ...pen, holder, mine: null, taken: holder.by };
  }
  if (holder?.since === pen.mine) return { ...pen, holder };
  return { ...pen, holder, mine: null, taken: holder?.by ?? null };
}

/** This page asks for it. */
export const asking = (pen: Pen): Pen => ({ ...pen, before: pen.holder?.since ?? null });

/** This page was given it; the other line may have told of that already. */
export const given = (pen: Pen, me: string): Pen => told({ ...pen, mine: "asked", taken: null }, pen.holder, me);

/** This page gave it back, or was refused: the next answer tells who has it. */
export const gone = (pen: Pen): Pen => ({ ...pen, mine: null });

/** In words, for whoever looks at this page. `time` says a time as this place's clock does. */
export function words(pen: Pen, time: (at: string) => string): string {
  if (pen.mine !== null) return "You have the pen: what you type goes to the machine. Ctrl-] gives it back.";
  if (pen.taken !== null && pen.holder !== null) {
    return `${pen.holder.by} took the pen at ${time(pen.holder.since)}. This page reads only.`;
  }
  return pen.holder === null
    ? "Nobody has the pen. This page reads only, until it takes it."
    : `${pen.holder.by} has the pen since ${time(pen.holder.since)}. This page reads only.`;
}
