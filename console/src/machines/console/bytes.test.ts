import { expect, test } from "vitest";
import { decode, encode, pieces } from "./bytes";

test("any bytes go there and come back", () => {
  const all = Uint8Array.from({ length: 40_000 }, (_, i) => i % 256);
  expect(decode(encode(all))).toEqual(all);
  expect(encode(new Uint8Array())).toBe("");
});

test("what is pasted goes in pieces, and no letter is cut", () => {
  const text = "ä€😀".repeat(5);
  const typed = new TextEncoder().encode(text);
  const parts = pieces(typed, 7);
  expect(parts.every((part) => part.length > 0 && part.length <= 7)).toBe(true);
  expect(parts.map((part) => new TextDecoder("utf-8", { fatal: true }).decode(part)).join("")).toBe(text);
  expect(pieces(new Uint8Array())).toEqual([]);
});
