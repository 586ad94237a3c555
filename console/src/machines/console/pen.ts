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
  /** Who took it from this page last. */
  taken: string | null;
}

export const NOBODY: Pen = { holder: null, mine: null, taken: null };

/** The API told who has it. */
export function told(pen: Pen, holder: Holder | null, me: string): Pen {
  if (pen.mine === null) return { ...pen, holder };
  if (pen.mine === "asked") {
    // an answer that was on its way tells of before
    if (holder === null || holder.since === pen.holder?.since) return pen;
    return holder.by === me ? { holder, mine: holder.since, taken: null } : { holder, mine: null, taken: holder.by };
  }
  if (holder?.since === pen.mine) return { ...pen, holder };
  return { holder, mine: null, taken: holder?.by ?? null };
}

/** This page was given it. */
export const given = (pen: Pen): Pen => ({ ...pen, mine: pen.mine ?? "asked", taken: null });

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
