// What the servers are made of, who holds them, and why the others don't count: from the nodes as the API tells them.

import { count, memory } from "../parts/amount";
import { type Made, made, type Parted } from "../parts/made";
import { decimal } from "../view/bytes";

export interface PoolNode extends Parted {
  place: string;
  identity: { model?: string | null; bios?: string | null };
  armed: boolean;
  cordoned?: string | null;
  holder?: string | null;
  /** Why it can't be given out, held ones too. */
  unfit: string[];
  live: { silent?: string | null };
}

/** Why a server that nobody holds is not free, as the daemon says it; none for what is. */
export function reasons(node: PoolNode): string[] {
  if (node.holder) return [];
  return [...(node.live.silent ? [`its BMC is silent: ${node.live.silent}`] : []), ...node.unfit];
}

export type Use = "held" | "free" | "neither";
export const use = (node: PoolNode): Use => (node.holder ? "held" : reasons(node).length > 0 ? "neither" : "free");

/** A number for each kind of use. */
export type Uses = Record<Use, number> & { all: number };

export function uses(nodes: readonly PoolNode[], of: (node: PoolNode) => number = () => 1): Uses {
  const found = { held: 0, free: 0, neither: 0, all: 0 };
  for (const node of nodes) {
    found[use(node)] += of(node);
    found.all += of(node);
  }
  return found;
}

/** `32 cores, 256 GiB, 8 GPUs, 2 drives of 7.7 TB`. */
export const inWords = ({ cores, memory: bytes, gpus, drives, storage }: Made) =>
  [
    count(cores, "core"),
    `${memory(bytes)}`,
    ...(gpus > 0 ? [count(gpus, "GPU")] : []),
    drives > 0 ? `${count(drives, "drive")}, ${decimal(storage)}` : "no drive told",
  ].join(", ");

export interface Group {
  key: string;
  model: string;
  made: Made;
  nodes: PoolNode[];
  uses: Uses;
  /** BIOS versions and how many have each, the most first. */
  firmware: [string, number][];
}

/** Servers that are made of the same. The most capable first. */
export function groups(nodes: readonly PoolNode[]): Group[] {
  const by = new Map<string, PoolNode[]>();
  for (const node of nodes) {
    const key = `${node.identity.model ?? ""}: ${inWords(made(node))}`;
    by.set(key, [...(by.get(key) ?? []), node]);
  }
  const all = [...by].flatMap(([key, these]): Group[] => {
    const [first] = these;
    if (!first) return [];
    const versions = new Map<string, number>();
    for (const { identity } of these) {
      const version = identity.bios ?? "not told";
      versions.set(version, (versions.get(version) ?? 0) + 1);
    }
    return [
      {
        key,
        model: first.identity.model ?? "model not told",
        made: made(first),
        nodes: these,
        uses: uses(these),
        firmware: [...versions].sort((a, b) => b[1] - a[1]),
      },
    ];
  });
  const rank = ({ made: { gpus, cores, memory: bytes, storage } }: Group) => [gpus, cores, bytes, storage];
  return all.sort((a, b) => {
    const [x, y] = [rank(a), rank(b)];
    const i = x.findIndex((value, at) => value !== y[at]);
    return i < 0 ? 0 : (y[i] ?? 0) - (x[i] ?? 0);
  });
}

/** How it stands, in a sentence. */
export function headline(nodes: readonly PoolNode[]): string {
  if (nodes.length === 0) return "No server is known yet";
  const servers = uses(nodes);
  const free = nodes.filter((node) => use(node) === "free");
  if (free.length === 0) return `None of ${count(servers.all, "server")} is free`;
  const cores = uses(nodes, (node) => made(node).cores).free;
  const bytes = uses(nodes, (node) => made(node).memory).free;
  const gpus = uses(nodes, (node) => made(node).gpus).free;
  const are = free.length === 1 ? "is" : "are";
  return `${free.length} of ${count(servers.all, "server")} ${are} free: ${count(cores, "core")}, ${memory(bytes)} of memory, ${gpus > 0 ? count(gpus, "GPU") : "no GPU"}`;
}
