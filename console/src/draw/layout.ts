// Where everything of a rack is drawn: from the elevation and the room there is, to rectangles. Unit 1 is at the bottom,
// as racks are counted.

import type { Box, Elevation, Flank, Outlet } from "../api/types";

export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Room {
  /** Pixels across for one rack with its flanks. */
  width: number;
  /** Pixels of one unit's height. */
  unit: number;
  /** Seen from behind: mirrored. */
  rear?: boolean;
}

export interface PlacedOutlet extends Rect {
  outlet: Outlet;
}

export interface PlacedFlank extends Rect {
  side: Flank;
  outlets: PlacedOutlet[];
}

export interface Plan {
  width: number;
  height: number;
  /** The frame around the units. */
  frame: Rect;
  /** The middle of each unit's label, unit 1 first. */
  labels: { unit: number; x: number; y: number }[];
  boxes: (Rect & { box: Box })[];
  flanks: PlacedFlank[];
  feet: (Rect & { box: Box })[];
}

/** Width of a PDU's strip. */
const FLANK = 34;
const GAP = 6;
/** Room for `42`. */
const NUMBERS = 22;
/** Above the frame: names of PDUs. */
const HEAD = 18;
const FOOT = 20;
/** Most units that are drawn: a rack of more has a mistake in it. */
const MOST = 100;

/** Room for the units of a rack that is this wide, with so many PDUs. */
const inner = (room: Room, flanks: number) => Math.max(96, room.width - flanks * (FLANK + GAP) - NUMBERS);

export function plan(elevation: Elevation, room: Room): Plan {
  const units = Math.min(MOST, Math.max(1, elevation.units));
  const even = elevation.flanks.filter((_, i) => i % 2 === 0);
  const odd = elevation.flanks.filter((_, i) => i % 2 === 1);
  const [left, right] = room.rear ? [odd, even] : [even, odd];
  const frame = {
    x: left.length * (FLANK + GAP) + NUMBERS,
    y: HEAD,
    w: inner(room, elevation.flanks.length),
    h: units * room.unit,
  };
  const bottom = frame.y + frame.h;
  const top = (unit: number, height: number) => bottom - (unit - 1 + height) * room.unit;
  const side = room.rear ? "rear" : "front";
  const seen = (box: Box): box is Box & { unit: number } => {
    const { unit, height } = box;
    const inside = unit !== null && unit >= 1 && height > 0 && unit + height - 1 <= units;
    return inside && (!box.half_depth || box.face === side);
  };
  const boxes = elevation.boxes.filter(seen).map((box) => {
    const columns = Math.max(1, box.columns);
    const w = (frame.w - 3) / columns;
    const column = room.rear ? columns - 1 - box.column : box.column;
    return {
      box,
      x: frame.x + 1.5 + column * w,
      y: top(box.unit, box.height) + 0.5,
      w: w - (columns > 1 ? 1 : 0),
      h: box.height * room.unit - 1,
    };
  });
  const flank = (side: Flank, x: number): PlacedFlank => ({
    side,
    x,
    y: frame.y,
    w: FLANK,
    h: frame.h,
    outlets: outlets(side.outlets ?? [], x, bottom, frame.h, room.unit),
  });
  const flanks = [
    ...left.map((side, i) => flank(side, i * (FLANK + GAP))),
    ...right.map((side, i) => flank(side, frame.x + frame.w + GAP + i * (FLANK + GAP))),
  ];
  const feet = elevation.feet.map((box, i) => ({
    box,
    x: frame.x,
    y: bottom + FOOT + i * (room.unit + 3),
    w: frame.w,
    h: room.unit,
  }));
  return {
    width: frame.x + frame.w + right.length * (FLANK + GAP) + 1,
    height: bottom + FOOT + feet.length * (room.unit + 3) + 2,
    frame,
    labels: Array.from({ length: units }, (_, i) => ({
      unit: i + 1,
      x: frame.x - 5,
      y: top(i + 1, 1) + room.unit / 2,
    })),
    boxes,
    flanks,
    feet,
  };
}

/** From the bottom up, one a unit; closer when there are more outlets than units. */
function outlets(all: Outlet[], x: number, bottom: number, height: number, unit: number): PlacedOutlet[] {
  const step = Math.min(unit, height / Math.max(1, all.length));
  return all.map((outlet, i) => ({
    outlet,
    x: x + 1.5,
    y: bottom - (i + 1) * step + 0.5,
    w: FLANK - 3,
    h: Math.max(1, step - 1),
  }));
}

/** How high a unit is drawn so that a rack fits into `height` pixels, and stays readable. */
export function unitFor(height: number, units: number): number {
  return Math.min(24, Math.max(14, Math.floor((height - HEAD - FOOT) / Math.max(1, units))));
}

/** How wide each of `racks` is drawn in `width` pixels: all side by side while they stay readable, else they scroll. */
export function widthFor(width: number, racks: number): number {
  return Math.min(560, Math.max(Math.min(width, 216), Math.floor(width / Math.max(1, racks))));
}

/** How many times as wide as high a cell is best, for a name and a number. */
const BROAD = 2.4;
/** What a gap at the end of the last row costs, against cells of another shape. */
const HOLE = 4;

/** How many cells stand beside each other: of that shape as nearly as it can be, and all rows full where that costs little. */
function columnsOf(cells: number, { w, h }: Rect): number {
  if (h < 30) return cells;
  let [best, least] = [cells, Number.POSITIVE_INFINITY];
  for (let rows = 1; rows <= cells; rows++) {
    const columns = Math.ceil(cells / rows);
    const shape = Math.abs(Math.log(w / columns / (h / rows) / BROAD));
    const cost = shape + (HOLE * (columns * rows - cells)) / cells;
    if (cost < least) [best, least] = [columns, cost];
  }
  return best;
}

/** Squares for the cells of a box, left to right, then down. */
export function grid(cells: number, rect: Rect): Rect[] {
  if (cells === 0 || rect.w <= 0 || rect.h <= 0) return [];
  const columns = columnsOf(cells, rect);
  const rows = Math.ceil(cells / columns);
  const w = rect.w / columns;
  const h = rect.h / rows;
  return Array.from({ length: cells }, (_, i) => ({
    x: rect.x + (i % columns) * w,
    y: rect.y + Math.floor(i / columns) * h,
    w: w - 1,
    h: h - 1,
  }));
}

/** Small squares for the cells of a box of one unit, right before its value; as many as there is room for. */
export function strip(cells: number, rect: Rect): Rect[] {
  const side = Math.max(4, Math.min(rect.h - 6, 12));
  const most = Math.max(0, Math.min(cells, Math.floor(rect.w / (side + 2))));
  // fewer than there are would lie
  if (most < cells) return [];
  return Array.from({ length: cells }, (_, i) => ({
    x: rect.x + rect.w - (cells - i) * (side + 2),
    y: rect.y + (rect.h - side) / 2,
    w: side,
    h: side,
  }));
}

/** The line of a cord: from an outlet along the frame to its box. */
export function cord(from: Rect, to: Rect): string {
  const [fromY, toY] = [from.y + from.h / 2, to.y + to.h / 2];
  const left = from.x < to.x;
  const start = left ? from.x + from.w : from.x;
  const end = left ? to.x : to.x + to.w;
  const turn = left ? start + 4 : start - 4;
  return `M${start} ${fromY}H${turn}V${toY}H${end}`;
}

/** The place that an arrow key leads to. */
export function next(plans: Plan[], from: string, key: string): string | null {
  const columns = plans.flatMap((p) => {
    const strip = (flank: PlacedFlank) => [{ place: flank.side.place, y: flank.y + flank.h }];
    const middle = [
      ...p.boxes.map(({ box, y, h }) => ({ place: box.place, y: y + h / 2 })),
      ...p.feet.map(({ box, y, h }) => ({ place: box.place, y: y + h / 2 })),
    ].sort((a, b) => a.y - b.y);
    const before = p.flanks.filter((f) => f.x < p.frame.x).map(strip);
    const after = p.flanks.filter((f) => f.x > p.frame.x).map(strip);
    return [...before, middle, ...after].filter((column) => column.length > 0);
  });
  const at = columns.findIndex((column) => column.some(({ place }) => place === from));
  const column = columns[at];
  if (!column) return columns.flat()[0]?.place ?? null;
  const row = column.findIndex(({ place }) => place === from);
  const y = column[row]?.y ?? 0;
  const nearest = (other: typeof column | undefined) =>
    other?.reduce((best, it) => (Math.abs(it.y - y) < Math.abs(best.y - y) ? it : best)).place ?? null;
  switch (key) {
    case "ArrowUp":
      return column[row - 1]?.place ?? null;
    case "ArrowDown":
      return column[row + 1]?.place ?? null;
    case "ArrowLeft":
      return nearest(columns[at - 1]);
    case "ArrowRight":
      return nearest(columns[at + 1]);
    case "Home":
      return column[0]?.place ?? null;
    case "End":
      return column.at(-1)?.place ?? null;
    default:
      return null;
  }
}
