// Machines as rows, as `busbar ps` has them: what is shown of each, in which order, and which are meant.

import { held, sake, taken } from "../parts/shed";
import { binary } from "../view/bytes";
import { type Direction, sorted } from "../view/sort";
import type { MachineView, MadeOf } from "./types";

/** Columns by their names in the address. */
export const COLUMNS = [
  { id: "name", label: "name", number: false },
  { id: "state", label: "state", number: false },
  { id: "nice", label: "nice", number: true },
  { id: "where", label: "where", number: false },
  { id: "made", label: "made of", number: false },
  { id: "watts", label: "watts / cap", number: true },
  { id: "temp", label: "inlet", number: true },
  { id: "image", label: "image", number: false },
] as const;
export type Column = (typeof COLUMNS)[number]["id"];

/** `64c 256G + 2 gpu`. */
export const madeOf = (made: MadeOf) =>
  `${made.cores}c ${binary(made.memory)}${made.gpus > 0 ? ` + ${made.gpus} gpu` : ""}`;

/** What it waits for or does now; empty where it rests as it should. */
export function note({ status, progress }: Pick<MachineView, "status" | "progress">): string {
  if (progress && progress.total > 0) {
    return `${progress.phase} ${Math.floor((100 * progress.done) / progress.total)} %`;
  }
  return status.state === "running" || status.state === "stopped" ? "" : status.reason;
}

/** Beside its state, that watts are taken from it so that nothing trips; empty when none are. */
export function pressed({ shed }: Pick<MachineView, "shed">): string {
  const now = held(shed);
  return now === null ? "" : now.stop != null ? "pressure" : "capped";
}

/** What is taken from it and why, else what it waits for or does. */
export function doing(row: MachineView): string {
  const now = held(row.shed);
  return now === null ? note(row) : `${taken(now)} ${sake(now)}: ${now.because}`;
}

const keys: Record<Column, (row: MachineView) => string | number | null> = {
  name: ({ name }) => name,
  state: ({ status }) => status.state,
  nice: ({ ask }) => ask.nice ?? 0,
  where: ({ status }) => status.place ?? null,
  // by what is dear first: GPUs, then memory
  made: ({ made_of: made }) => (made ? made.gpus * 2 ** 50 + made.memory : null),
  watts: ({ watts }) => watts ?? null,
  temp: ({ inlet }) => inlet ?? null,
  image: ({ ask }) => ask.image.name,
};

/** `watts` or `-watts`, as the address has it; what it doesn't understand is by place. */
export function order(text: string | null): { by: Column; direction: Direction } {
  const by = COLUMNS.find(({ id }) => id === text?.replace(/^-/, ""))?.id;
  return { by: by ?? "where", direction: by && text?.startsWith("-") ? "descending" : "ascending" };
}

/** Those that hold every typed word, in order; what was given back only when it is asked for by its state. */
export function shown(all: readonly MachineView[], typed: string, sort: string | null): MachineView[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (row: MachineView) =>
    [
      row.name,
      row.status.state,
      row.status.place ?? "",
      row.ask.image.name,
      row.made_of ? madeOf(row.made_of) : "",
      pressed(row),
      doing(row),
    ]
      .join(" ")
      .toLowerCase();
  const gone = words.includes("released");
  const meant = all.filter((row) => {
    if (row.status.state === "released" && !gone) return false;
    const said = text(row);
    return words.every((word) => said.includes(word));
  });
  const { by, direction } = order(sort);
  return sorted(meant, keys[by], direction);
}

/** `3 machines: 2 running, 1 installing`, in words. */
export function headline(all: readonly MachineView[]): string {
  const here = all.filter(({ status }) => status.state !== "released");
  if (here.length === 0) return "No machine runs here yet";
  const states = new Map<string, number>();
  for (const { status } of here) states.set(status.state, (states.get(status.state) ?? 0) + 1);
  const told = [...states].sort(([, a], [, b]) => b - a).map(([state, count]) => `${count} ${state}`);
  const less = here.filter(({ shed }) => held(shed) !== null).length;
  const way = less === 0 ? "" : `; ${less} ${less === 1 ? "gives" : "give"} way so that nothing trips`;
  return `${here.length} ${here.length === 1 ? "machine" : "machines"}: ${told.join(", ")}${way}`;
}
