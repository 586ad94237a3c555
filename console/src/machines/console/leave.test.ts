import { expect, test } from "vitest";
import { isLeave } from "./leave";

const key = (key: string, code: string, ctrlKey = true) => isLeave({ key, code, ctrlKey, metaKey: false });

test("Ctrl-] leaves on every keyboard, and nothing else does", () => {
  expect(key("]", "BracketRight")).toBe(true);
  // AltGr-9 of a German keyboard, and what stands where the bracket of a US one does
  expect(key("]", "Digit9")).toBe(true);
  expect(key("+", "BracketRight")).toBe(true);
  expect(key("]", "BracketRight", false)).toBe(false);
  expect(key("c", "KeyC")).toBe(false);
  expect(key("[", "BracketLeft")).toBe(false);
});
