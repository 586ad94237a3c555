import { expect, test } from "vitest";
import { binary, decimal, parseBytes } from "./bytes";

test("sizes are read as the daemon reads them", () => {
  for (const [text, bytes] of [
    ["64G", 64 * 2 ** 30],
    ["64 GiB", 64 * 2 ** 30],
    ["2TB", 2e12],
    ["512m", 512 * 2 ** 20],
    ["0", 0],
    ["1.5k", 1536],
  ] as const)
    expect(parseBytes(text), text).toBe(bytes);
  for (const text of ["", "G", "-1G", "1e9", "64 potatoes", "99999999T"]) expect(parseBytes(text), text).toBeNull();
});

test("and written as it writes them", () => {
  expect(binary(256 * 2 ** 30)).toBe("256G");
  expect(binary(1536 * 2 ** 30)).toBe("1.5T");
  expect(decimal(1_920_383_410_176)).toBe("1.9 TB");
  expect(decimal(0)).toBe("0 B");
});
