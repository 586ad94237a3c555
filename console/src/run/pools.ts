// What a run draws from: boxes that could be given out now, those that are made of the same together.

import { made, type Parted } from "../parts/made";
import { binary } from "../view/bytes";
import type { Wish } from "./wish";

/** A node, as far as it matters here. */
export interface Node extends Parted {
  place: string;
  unfit: string[];
  live: { silent?: string | null; readings: { name: string; value: number | null }[] };
}

export interface Pool {
  cores: number;
  /** Bytes. */
  memory: number;
  gpus: number;
  /** Bytes of its largest drive; null when its BMC tells of none. */
  disk: number | null;
  total: number;
  /** Places that are free, in the order of places. */
  free: string[];
  /** Whether no other free box has more of anything. */
  largest: boolean;
}

/** Whether a machine could be placed on it now. */
export const isFree = (node: Node) => node.unfit.length === 0 && !node.live.silent;

/** Pools, the largest pieces first. */
export function pools(nodes: readonly Node[]): Pool[] {
  const found = new Map<string, Pool>();
  for (const node of nodes) {
    const { cores, memory, gpus } = made(node);
    const drives = node.parts.flatMap(({ kind }) => (kind.kind === "drive" ? [kind.size ?? 0] : []));
    const like = { cores, memory, gpus, disk: drives.length > 0 ? Math.max(...drives) : null };
    const key = JSON.stringify(like);
    const pool = found.get(key) ?? { ...like, total: 0, free: [], largest: false };
    pool.total += 1;
    if (isFree(node)) pool.free.push(node.place);
    found.set(key, pool);
  }
  const all = [...found.values()].sort((a, b) => b.gpus - a.gpus || b.memory - a.memory || b.cores - a.cores);
  const free = all.filter((pool) => pool.free.length > 0);
  for (const pool of free) {
    pool.largest = free.every(
      (other) => other.gpus <= pool.gpus && other.memory <= pool.memory && other.cores <= pool.cores,
    );
  }
  return all;
}

/** A wish for a piece like those of a pool. */
export const wishFor = ({ cores, memory, gpus }: Pool): Partial<Wish> => ({
  cores: `${cores}`,
  memory: binary(memory),
  gpu: gpus > 0 ? `${gpus}` : "",
});

/** What a rack draws now and may draw with one more machine, in watts; null is not known. */
export interface Forecast {
  used: number | null;
  /** With the box at its bound. */
  atMost: number | null;
  total: number | null;
  /** The most that the box may draw, and by what. */
  bound: number | null;
  by: "its cap" | "the highest cap that it takes" | null;
}

export function forecast(
  row: { total: number | null; used: number | null } | undefined,
  draws: number | null,
  caps: readonly { id: string; watts?: number | null; highest?: number | null }[],
): Forecast {
  const cap = caps.find(({ id }) => id === "system");
  const bound = cap?.watts ?? cap?.highest ?? null;
  const by = cap?.watts != null ? "its cap" : bound === null ? null : "the highest cap that it takes";
  const used = row?.used ?? null;
  const atMost = used === null || bound === null || draws === null ? null : used - draws + Math.max(bound, draws);
  return { used, atMost, total: row?.total ?? null, bound, by };
}
