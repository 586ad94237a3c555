import { expect, test } from "vitest";
import { read, write } from "./view";

const at = (address: string) => read(new URL(address, "https://busbar.test"));

test.each([
  "/",
  "/r1",
  "/r1+r2",
  "/r1?by=inlet",
  "/r1?by=inlet&hl=state:running#u12",
  "/r1+r2?hl=web,db#r2/u3",
  "/r1?side=rear",
  "/r1?view=table&at=2026-11-29T10:00:00Z#pdu-a",
])("%s holds the whole view", (address) => {
  expect(write(at(address))).toBe(address);
});

test("what an address says wrongly is left out", () => {
  expect(at("/../<b>?by=nonsense&at=yesterday#%E0%A4%A")).toEqual({
    racks: [],
    by: "power",
    hl: "",
    table: false,
    rear: false,
    at: null,
    focus: null,
  });
  expect(at("/r1+r1+R!").racks).toEqual(["r1"]);
  expect(at(`/r1?hl=${"x".repeat(5000)}`).hl).toHaveLength(200);
});

test("blanks and ampersands in a highlight survive", () => {
  const view = { ...at("/r1"), hl: "a b&c=d#e" };
  expect(at(write(view))).toEqual(view);
});

test("a page's path names no rack, and a rack of a page's name has its own", () => {
  const pages = ["power", "machines"];
  const of = (address: string) => read(new URL(address, "https://busbar.test"), pages);
  expect(of("/power").racks).toEqual([]);
  expect(of("/machines/web-1").racks).toEqual([]);
  const named = { ...of("/"), racks: ["power"] };
  expect(write(named, pages)).toBe("/power+");
  expect(of("/power+").racks).toEqual(["power"]);
});
