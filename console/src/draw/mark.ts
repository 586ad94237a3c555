// What a box is, by shape and by word: colour alone never says it.

import type { Box } from "../api/types";
import { held } from "../parts/shed";

export type Shape = "disc" | "ring" | "square" | "half" | "less" | "wedge" | "cross" | "ask" | "none";

export interface Mark {
  shape: Shape;
  /** The word that goes with it. */
  word: string;
  /** Whether somebody should look. */
  loud: boolean;
}

const OF_STATE: Record<string, [Shape, string]> = {
  pending: ["half", "pending"],
  placed: ["half", "placed"],
  composing: ["half", "composing"],
  booting: ["half", "booting"],
  installing: ["half", "installing"],
  running: ["disc", "running"],
  stopped: ["square", "stopped"],
  draining: ["half", "draining"],
  wiping: ["half", "wiping"],
  held: ["wedge", "held"],
};

/** A silent box says so before anything else, since the rest of what is told of it is old. */
export function mark(box: Box): Mark {
  if (!box.found) return { shape: "none", word: "not found", loud: true };
  if (box.silent) return { shape: "ask", word: "silent", loud: true };
  const less = held(box.shed);
  const state = less === null ? box.state : less.stop != null ? "stopped, pressure" : "capped";
  if (box.health === "critical" || box.health === "warning") {
    const { health } = box;
    // whoever lost one of two inputs is ill too, and that is when somebody gives way
    const shape = less !== null ? "less" : health === "critical" ? "cross" : "wedge";
    return { shape, word: state ? `${state}, ${health}` : health, loud: true };
  }
  if (state !== null && less !== null) return { shape: "less", word: state, loud: true };
  if (box.state) {
    const [shape, word] = OF_STATE[box.state] ?? ["half", box.state];
    return { shape, word, loud: box.state === "held" };
  }
  if (box.kind !== "server") return { shape: "none", word: box.kind, loud: false };
  if (box.cordoned) return { shape: "square", word: "cordoned", loud: false };
  if (!box.armed) return { shape: "ring", word: "only looked at", loud: false };
  return { shape: "ring", word: box.power === "off" ? "free, off" : "free", loud: false };
}

/** SVG path of a shape around a point. */
export function outline(shape: Shape, x: number, y: number, r: number): string {
  const n = (value: number) => Math.round(value * 100) / 100;
  const circle = (radius: number) =>
    `M${n(x - radius)} ${n(y)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
  switch (shape) {
    case "disc":
      return `${circle(r)}Z`;
    case "ring":
      return `${circle(r)}Z${circle(n(r * 0.55))}Z`;
    case "half":
      return `${circle(r)}ZM${n(x)} ${n(y - r * 0.6)}a${n(r * 0.6)} ${n(r * 0.6)} 0 1 0 0 ${n(r * 1.2)}Z`;
    case "square":
      return `M${n(x - r * 0.85)} ${n(y - r * 0.85)}h${n(r * 1.7)}v${n(r * 1.7)}h${n(-r * 1.7)}Z`;
    case "wedge":
      return `M${n(x)} ${n(y - r)}L${n(x + r * 1.1)} ${n(y + r * 0.9)}H${n(x - r * 1.1)}Z`;
    case "less":
      return `M${n(x - r)} ${n(y - r * 0.7)}L${n(x)} ${n(y + r * 0.2)}L${n(x + r)} ${n(y - r * 0.7)}V${n(y)}L${n(x)} ${n(y + r * 0.9)}L${n(x - r)} ${n(y)}Z`;
    case "cross": {
      const a = r * 0.95;
      const b = r * 0.5;
      return `M${n(x - a)} ${n(y - b)}L${n(x - b)} ${n(y - a)}L${n(x)} ${n(y - b)}L${n(x + b)} ${n(y - a)}L${n(x + a)} ${n(y - b)}L${n(x + b)} ${n(y)}L${n(x + a)} ${n(y + b)}L${n(x + b)} ${n(y + a)}L${n(x)} ${n(y + b)}L${n(x - b)} ${n(y + a)}L${n(x - a)} ${n(y + b)}L${n(x - b)} ${n(y)}Z`;
    }
    case "ask":
      return `M${n(x)} ${n(y - r)}L${n(x + r)} ${n(y)}L${n(x)} ${n(y + r)}L${n(x - r)} ${n(y)}Z M${n(x)} ${n(y - r * 0.5)}L${n(x - r * 0.5)} ${n(y)}L${n(x)} ${n(y + r * 0.5)}L${n(x + r * 0.5)} ${n(y)}Z`;
    case "none":
      return "";
  }
}
