// Where the seconds of an install went: each phase against what it may take, and where it lies in the whole.

import { decimal } from "../view/bytes";
import type { MachineView } from "./types";

export interface Line {
  name: string;
  /** Seconds so far. */
  seconds: number;
  /** Seconds that it may take in one try; null where that is not bounded by a rule. */
  budget: number | null;
  bytes: number | null;
  /** Whether it goes on. */
  open: boolean;
  late: boolean;
  /** Where it begins and how long it is, as shares of all phases together. Time between them is left out: a machine that was stopped
   * for a week is not installed for a week. */
  from: number;
  share: number;
}

/** The lines of a machine's timeline as of `now`, milliseconds. */
export function lines({ status, budgets }: Pick<MachineView, "status" | "budgets">, now: number): Line[] {
  const seconds = status.timeline.map(({ began, ended }) =>
    Math.max(0, ((ended ? Date.parse(ended) : now) - Date.parse(began)) / 1000),
  );
  const all = Math.max(
    1e-9,
    seconds.reduce((sum, it) => sum + it, 0),
  );
  let before = 0;
  return status.timeline.map(({ name, ended, bytes }, i) => {
    const took = seconds[i] ?? 0;
    const budget = budgets?.[name] ?? null;
    const line = {
      name,
      seconds: took,
      budget,
      bytes: bytes ?? null,
      open: !ended,
      late: budget !== null && took > budget,
      from: before / all,
      share: took / all,
    };
    before += took;
    return line;
  });
}

/** `12.3 s`, `4 m 10 s`. */
export function seconds(value: number): string {
  if (value < 100) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} m ${`${Math.round(value % 60)}`.padStart(2, "0")} s`;
}

/** What an agent does now, in words: `1.2 GB of 2.1 GB, 57 %, 310 MB/s`; null when it tells nothing. */
export function moving({ status, progress }: Pick<MachineView, "status" | "progress">): string | null {
  if (!progress || progress.total <= 0) return null;
  const share = Math.floor((100 * progress.done) / progress.total);
  const phase = status.timeline.at(-1);
  const took = phase ? (Date.parse(progress.at) - Date.parse(phase.began)) / 1000 : 0;
  const speed = took > 0.5 && progress.done > 0 ? `, ${decimal(progress.done / took)}/s` : "";
  return `${decimal(progress.done)} of ${decimal(progress.total)}, ${share} %${speed}`;
}

/** `Up 74.2 s after it was asked for`, or how long it has been on its way; null where nothing is told. */
export function total(all: Line[]): string | null {
  if (all.length === 0) return null;
  const sum = all.reduce((so, { seconds }) => so + seconds, 0);
  return `${all.some(({ open }) => open) ? "so far" : "in all"} ${seconds(sum)}`;
}
