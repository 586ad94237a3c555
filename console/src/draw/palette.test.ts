import { expect, test } from "vitest";
import sheet from "../style/base.css?raw";
import { CLASSES, cividis, contrast, hex, inkOn, luminance, THEMES } from "./palette";

const ink = (ground: readonly [number, number, number]) =>
  contrast(ground, inkOn(ground) === "#000" ? [0, 0, 0] : [255, 255, 255]);

test("the palette runs from its published first colour to its last, and only gets lighter", () => {
  expect(cividis(0)).toEqual([0, 32, 81]);
  expect(cividis(1)).toEqual([253, 234, 69]);
  for (let i = 1; i <= 64; i++) {
    expect(luminance(cividis(i / 64))).toBeGreaterThan(luminance(cividis((i - 1) / 64)));
  }
});

test("what is out of range or no number is held at the ends", () => {
  expect(cividis(-3)).toEqual(cividis(0));
  expect(cividis(7)).toEqual(cividis(1));
  expect(cividis(Number.NaN)).toEqual(cividis(0));
});

test("text on every shade and class has a contrast of 4.5", () => {
  for (let i = 0; i <= 1000; i++) expect(ink(cividis(i / 1000))).toBeGreaterThanOrEqual(4.5);
  for (const ground of Object.values(CLASSES)) expect(ink(hex(ground))).toBeGreaterThanOrEqual(4.5);
});

test("in both themes text has a contrast of 4.5 on both grounds, and lines and accent one of 3", () => {
  for (const theme of Object.values(THEMES)) {
    for (const ground of [theme.ground, theme.panel].map(hex)) {
      for (const text of [theme.ink, theme.soft, theme.accent])
        expect(contrast(hex(text), ground)).toBeGreaterThan(4.5);
      expect(contrast(hex(theme.line), ground)).toBeGreaterThan(3);
    }
  }
});

test("the style sheet has these very colours", () => {
  for (const [name, light] of Object.entries(THEMES.light)) {
    const dark = THEMES.dark[name as keyof typeof THEMES.dark];
    expect(sheet).toContain(`--${name}: light-dark(${light}, ${dark});`);
  }
});

test("the page's ink reads on a faint fill of what is old", () => {
  // a quarter of the fill over the ground, as style/drawing.css says
  for (const theme of Object.values(THEMES)) {
    const ground = hex(theme.ground);
    for (let i = 0; i <= 100; i++) {
      const [r, g, b] = cividis(i / 100).map((byte, at) => 0.25 * byte + 0.75 * (ground[at] ?? 0)) as [
        number,
        number,
        number,
      ];
      expect(contrast([r, g, b], hex(theme.ink))).toBeGreaterThan(4.5);
    }
  }
});
