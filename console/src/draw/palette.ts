// The one sequential palette: cividis (Nuñez, Anderton, Renslow 2018), made to read alike with and without colour vision.
// Polynomial of d3-scale-chromatic.

export type Rgb = readonly [number, number, number];

/** Surfaces and ink of the two themes, as in style/base.css; the test of contrast reads them from here and from there. */
export const THEMES = {
  light: { ground: "#fbfbf9", panel: "#f2f2ee", ink: "#16181a", soft: "#55595e", line: "#84888d", accent: "#0b57c2" },
  dark: { ground: "#101214", panel: "#181b1e", ink: "#e8e9ea", soft: "#a3a8ae", line: "#6d7278", accent: "#7fb2ff" },
} as const;

/** Fills of classes, the same in both themes: ink on them is chosen like on the palette. */
export const CLASSES = {
  ok: "#c5d3dc",
  used: "#2f6f9f",
  free: "#c5d3dc",
  closed: "#6f7479",
  unknown: "#8f9297",
  warning: "#f0b429",
  critical: "#b3261e",
} as const;

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/** The colour at 0 to 1. */
export function cividis(at: number): Rgb {
  const t = clamp(Number.isFinite(at) ? at : 0, 0, 1);
  const byte = (value: number) => clamp(Math.round(value), 0, 255);
  return [
    byte(-4.54 - t * (35.34 - t * (2381.73 - t * (6402.7 - t * (7024.72 - t * 2710.57))))),
    byte(32.49 + t * (170.73 + t * (52.82 - t * (131.46 - t * (176.58 - t * 67.37))))),
    byte(81.24 + t * (442.36 - t * (2482.43 - t * (6167.24 - t * (6614.94 - t * 2475.67))))),
  ];
}

export const css = ([r, g, b]: Rgb) => `rgb(${r} ${g} ${b})`;

export function hex(text: string): Rgb {
  const byte = (at: number) => Number.parseInt(text.slice(at, at + 2), 16);
  return [byte(1), byte(3), byte(5)];
}

/** Relative luminance (WCAG 2.2). */
export function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((byte) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast of two colours, 1 to 21 (WCAG 2.2). */
export function contrast(a: Rgb, b: Rgb): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** Black or white, whichever reads better on this ground. One of them always has a contrast of 4.5. */
export function inkOn(ground: Rgb): "#000" | "#fff" {
  return contrast(ground, BLACK) >= contrast(ground, WHITE) ? "#000" : "#fff";
}
