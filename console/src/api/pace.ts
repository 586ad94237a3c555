// When the elevation is asked for again: by itself every other second, at once after an event, and never more often than once
// a second over any stretch of time.

/** Milliseconds between two looks when nothing is told. */
export const ROUTINE = 2000;
/** Milliseconds after which one more look may be spent. */
const REFILL = 1000;
/** Looks that may follow each other at once after quiet. */
const BURST = 3;

export interface Pace {
  /** Looks that may be spent. */
  left: number;
  /** When that was reckoned, and when the last look was. */
  at: number;
  looked: number;
}

export const fresh = (now: number): Pace => ({ left: BURST, at: now, looked: now - ROUTINE });

const refilled = (pace: Pace, now: number) => Math.min(BURST, pace.left + Math.max(0, now - pace.at) / REFILL);

/** Milliseconds until the next look. */
export function wait(pace: Pace, told: boolean, now: number): number {
  const left = refilled(pace, now);
  const allowed = left >= 1 ? 0 : (1 - left) * REFILL;
  const due = told ? 0 : Math.max(0, pace.looked + ROUTINE - now);
  return Math.max(allowed, due);
}

export const looked = (pace: Pace, now: number): Pace => ({ left: refilled(pace, now) - 1, at: now, looked: now });
