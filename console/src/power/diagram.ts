// Where the one-line diagram goes: pure, from what is known to places. Each PDU is a vertical bus with its load above it; each box a row,
// with a line to every bus that it hangs on, and a dot where they meet.

import { watts } from "../view/words";
import type { Cord, FedBox, Forecast, Given, Load, OneLine, Pdu } from "./types";

/** Where the buses begin, under names, inputs, breakers and loads. */
export const TOP = 100;
/** Between the lines of two cords of a box. */
const BETWEEN = 11;
const ROW = 25;
/** Least and most that a PDU's column is wide. */
const NARROW = 100;
const WIDE = 190;
/** Width of the boxes, at least. */
const BOX = 126;

export interface Bus {
  pdu: Pdu;
  /** Where its line runs, and where its load is drawn from. */
  x: number;
  left: number;
  width: number;
  /** Where its line ends. */
  end: number;
}

export interface Wire {
  cord: Cord;
  x: number;
  y: number;
}

export interface Row {
  box: FedBox;
  y: number;
  height: number;
  wires: Wire[];
}

export interface Layout {
  width: number;
  height: number;
  /** Where the boxes begin. */
  left: number;
  buses: Bus[];
  rows: Row[];
}

/** The diagram of what hangs on something; what doesn't is told in words. It may come out wider than there is room. */
export function layout(line: OneLine, room: number): Layout {
  const count = Math.max(1, line.pdus.length);
  const column = Math.min(WIDE, Math.max(NARROW, ((room - BOX) * 0.6) / count));
  const left = count * column;
  const width = Math.max(room, left + BOX);
  const at = new Map(line.pdus.map(({ place }, i) => [place, i * column + 10]));
  let y = TOP + 6;
  const ends = new Map<string, number>();
  const rows = line.boxes
    .filter(({ cords }) => cords.length > 0)
    .map((box) => {
      const height = Math.max(ROW, box.cords.length * BETWEEN + 4);
      const middle = y + height / 2;
      const sorted = [...box.cords].sort((a, b) => (at.get(a.pdu) ?? 0) - (at.get(b.pdu) ?? 0));
      const wires = sorted.map((cord, i) => ({
        cord,
        x: at.get(cord.pdu) ?? 0,
        y: middle + (i - (sorted.length - 1) / 2) * BETWEEN,
      }));
      for (const wire of wires) ends.set(wire.cord.pdu, wire.y);
      const row = { box, y, height, wires };
      y += height;
      return row;
    });
  const buses = line.pdus.map((pdu, i) => ({
    pdu,
    left: i * column,
    width: column - 14,
    x: i * column + 10,
    end: ends.get(pdu.place) ?? TOP,
  }));
  return { width, height: y + 6, left, buses, rows };
}

/** `22 %`; what is not known is a dash. */
export function share(part: number | null, of: number | null): string {
  if (part === null || of === null || of <= 0) return "—";
  const percent = (100 * part) / of;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** `3 × 32 A, 400 V`; without the volts where there is little room. */
export function input(pdu: Pdu, short = false): string {
  if (pdu.mains.length === 0) return pdu.found ? "rating not told" : "not found";
  const [first] = pdu.mains;
  const same = pdu.mains.every(({ amps, volts }) => amps === first?.amps && volts === first?.volts);
  if (!first || !same) return `${pdu.mains.length} inputs`;
  const times = pdu.mains.length > 1 ? `${pdu.mains.length} inputs of ` : "";
  const amps = `${first.phases > 1 ? `${first.phases} × ` : ""}${Number(first.amps.toFixed(1))} A`;
  return short ? `${times}${amps}` : `${times}${amps}, ${Number(first.volts.toFixed(0))} V`;
}

/** The line of a PDU that is nearest to what it may carry. */
export function fullest(pdu: Pdu): { name: string; amps: number; rated: number | null } | null {
  const told = pdu.lines.flatMap(({ name, amps, rated }) => (amps === null ? [] : [{ name, amps, rated }]));
  return told.reduce<(typeof told)[number] | null>(
    (most, it) => (most === null || it.amps / (it.rated ?? 1) > most.amps / (most.rated ?? 1) ? it : most),
    null,
  );
}

/** A bar on a scale of its own: how long what is carried is, what of it is beyond the 80 %, and where these are. */
export function bar(carried: number | null, rated: number | null, width: number) {
  if (carried === null || rated === null || rated <= 0) return null;
  // what is over the rating is still on the paper
  const whole = Math.max(rated, carried);
  const at = (value: number) => (value / whole) * width;
  const soft = at(0.8 * rated);
  return { length: at(carried), beyond: Math.max(0, at(carried) - soft), soft, rated: at(rated) };
}

/** What of the diagram a forecast changes. */
export interface Overlay {
  dark: Set<string>;
  dies: Set<string>;
  gives: Map<string, Given>;
  loads: Map<string, Load>;
}

export const overlay = (forecast: Forecast | undefined): Overlay => ({
  dark: new Set(forecast?.loads.filter(({ fate }) => fate === "fails" || fate === "trips").map(({ pdu }) => pdu)),
  dies: new Set(forecast?.dies.map(({ place }) => place)),
  gives: new Map(forecast?.sheds?.map((given) => [given.place, given])),
  loads: new Map(forecast?.loads.map((load) => [load.pdu, load])),
});

/** What a PDU carries, and with a forecast what it would. */
export function carried(pdu: Pdu, load: Load | undefined): string {
  const now = pdu.watts === null ? "no reading" : watts(pdu.watts);
  if (load === undefined || load.after === null || load.after === load.before)
    return pdu.carries === "no" ? "dark" : `${now}, ${share(pdu.watts, pdu.rated)}`;
  if (load.fate === "fails") return `${now} → lost`;
  const then = `${load.at_least ? "≥ " : ""}${watts(load.after)}, ${share(load.after, load.rated)}`;
  return `→ ${then}${load.fate === "trips" ? ", trips" : ""}`;
}

/** Watts through a cord, as they are or, where other cords of its box are gone, as they would be; null when that can't be said. */
export function through(wire: Wire, row: Row, dead: (wire: Wire) => boolean): string | null {
  if (dead(wire)) return null;
  const text = (value: number | null, sure: boolean) => (value === null ? null : `${sure ? "" : "≈ "}${watts(value)}`);
  const gone = row.wires.filter((it) => dead(it) && it.cord.carries !== "no");
  if (gone.length === 0) return text(wire.cord.watts, wire.cord.told);
  // how several that are left share it, the forecast knows and does not tell
  if (row.wires.some((it) => it !== wire && !dead(it))) return null;
  const all = [wire, ...gone].map(({ cord }) => cord.watts);
  const sum = all.reduce<number | null>((sum, it) => (sum === null || it === null ? null : sum + it), 0);
  return sum === null ? null : `→ ${text(sum, true)}`;
}

/** What a failure is asked by: places, in the address. */
export const asked = (text: string | null): string[] => [...new Set((text ?? "").split(",").filter((it) => it !== ""))];

/** The question as the API is asked, and as the command line asks it. */
export const question = (fails: string[]) => ({
  path: `/v1/whatif?${fails.map((place) => `fail=${encodeURIComponent(place)}`).join("&")}`,
  command: `busbar whatif fail ${fails.join(" ")}`,
});
