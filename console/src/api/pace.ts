// When the elevation is asked for again: by itself every other second, at once after an event, and in a storm of events so often that
// looking takes a fifth of the time at most: five times a second while answers come at once, and once a second when they are slow.

/** Milliseconds between two looks when nothing is told. */
export const ROUTINE = 2000;
/** Milliseconds after which one more look may be spent, at least and at most. */
const SOONEST = 200;
const LATEST = 1000;
/** How many times as long as a look took is waited until the next may be spent. */
const REST = 5;
/** Looks that may follow each other at once after quiet. */
const BURST = 3;

export interface Pace {
  /** Looks that may be spent. */
  left: number;
  /** When that was reckoned, and when the last look was. */
  at: number;
  looked: number;
  /** Milliseconds until one more look may be spent. */
  refill: number;
}

export const fresh = (now: number): Pace => ({ left: BURST, at: now, looked: now - ROUTINE, refill: LATEST });

const refilled = ({ left, at, refill }: Pace, now: number) => Math.min(BURST, left + Math.max(0, now - at) / refill);

/** Milliseconds until the next look. */
export function wait(pace: Pace, told: boolean, now: number): number {
  const left = refilled(pace, now);
  const allowed = left >= 1 ? 0 : (1 - left) * pace.refill;
  const due = told ? 0 : Math.max(0, pace.looked + ROUTINE - now);
  return Math.max(allowed, due);
}

/** A look begins. */
export const looked = (pace: Pace, now: number): Pace => ({
  ...pace,
  left: refilled(pace, now) - 1,
  at: now,
  looked: now,
});

/** It took so many milliseconds, until all was drawn. */
export const took = (pace: Pace, ms: number, now: number): Pace => ({
  ...pace,
  left: refilled(pace, now),
  at: now,
  refill: Math.min(LATEST, Math.max(SOONEST, ms * REST)),
});
