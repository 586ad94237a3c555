// A box's parts as rows: alike ones together, so that eight modules are one line.

import { binary, decimal } from "../view/bytes";
import type { Part } from "./types";

export interface Row {
  /** `dimm0–7`, or `nic0`. */
  ids: string;
  what: string;
  model: string;
  serial: string;
  firmware: string;
  health: string;
}

/** What a part is, with what matters of its kind. */
export function what({ kind }: Part): string {
  const said = (...words: (string | number | null | undefined | false)[]) => words.filter((word) => word).join(", ");
  switch (kind.kind) {
    case "processor":
      return `${kind.cores} cores, ${kind.threads} threads`;
    case "memory":
      return binary(kind.size ?? 0);
    case "drive":
      return said(decimal(kind.size ?? 0), kind.bus !== "other" && kind.bus);
    case "nic":
      return said(
        kind.mac ?? "address not told",
        kind.link === false
          ? "no link"
          : kind.mbps
            ? `${kind.mbps >= 1000 ? kind.mbps / 1000 : kind.mbps} ${kind.mbps >= 1000 ? "Gbit/s" : "Mbit/s"}`
            : null,
        kind.neighbour && `to ${kind.neighbour.system} ${kind.neighbour.port}`,
      );
    case "gpu":
      return said("GPU", kind.memory && binary(kind.memory));
    case "supply":
      return said("supply", kind.watts && `${kind.watts} W`);
    default:
      return kind.kind.replaceAll("_", " ");
  }
}

const split = (id: string): [string, number | null] => {
  const [, stem, number] = id.match(/^(.*?)(\d+)$/) ?? [];
  return stem === undefined ? [id, null] : [stem, Number(number)];
};

/** Rows in the order that the box tells; parts that differ in nothing but their number and serial are one. */
export function rows(parts: readonly Part[]): Row[] {
  const found: (Row & { stem: string; first: number | null; last: number | null; count: number })[] = [];
  for (const part of parts) {
    const [stem, number] = split(part.id);
    const row = {
      what: what(part),
      model: [part.maker, part.model].filter(Boolean).join(" "),
      firmware: part.firmware ?? "",
      health: part.health,
    };
    const last = found.at(-1);
    const same =
      last !== undefined &&
      number !== null &&
      last.stem === stem &&
      last.last === number - 1 &&
      last.what === row.what &&
      last.model === row.model &&
      last.firmware === row.firmware &&
      last.health === row.health;
    if (same) {
      last.last = number;
      last.count += 1;
      last.serial = "";
      last.ids = `${stem}${last.first}–${number}`;
      continue;
    }
    found.push({ ...row, ids: part.id, serial: part.serial ?? "", stem, first: number, last: number, count: 1 });
  }
  return found.map(({ ids, what, model, serial, firmware, health, count }) => ({
    ids,
    what: count > 1 ? `${count} × ${what}` : what,
    model,
    serial,
    firmware,
    health,
  }));
}
