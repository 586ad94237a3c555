import { expect, test } from "vitest";
import { cut, headline, type Image, remove, said, short, type User, unfit, users } from "./images";

const image = (name: string, digest = name): Image => ({
  name,
  digest,
  stored: 34_000_000,
  raw: 268_000_000,
  packing: "zstd",
  raw_digest: "sha256:1",
  source: "registry/debian:13",
  added: "2026-11-29T12:00:00Z",
});
const user = (name: string, digest: string, state = "running"): User => ({
  name,
  ask: { image: { digest } },
  status: { state },
});

test("who was made from an image is told by its digest, whatever its name is now", () => {
  const machines = [user("web-1", "a"), user("db-1", "b"), user("lab-3", "a", "released")];
  expect(users(image("x", "a"), machines).map(({ name }) => name)).toEqual(["web-1"]);
  expect(headline([image("x", "a"), image("y", "a")], machines)).toBe("2 images in 34 MB, 2 in use");
  expect(headline([], [])).toMatch(/can’t be installed yet/);
});

test("an image that a machine still needs can't be removed, and one in use says who keeps running", () => {
  const of = (state: string) => remove(image("x", "a"), [user("web-1", "a", state)], "operator", false);
  expect(of("installing").disabled).toMatch(/web-1 is still to be installed/);
  expect(of("running").disabled).toBeUndefined();
  expect(of("running").dies).toMatch(/web-1 was made from it and keeps running/);
  expect(remove(image("x"), [], "reader", false).disabled).toMatch(/operator/);
});

test("a stream is cut into lines wherever its chunks end", () => {
  expect(cut('{"done":1}\n{"do')).toEqual({ lines: ['{"done":1}'], left: '{"do' });
  expect(cut('ne":2}\n\n')).toEqual({ lines: ['ne":2}'], left: "" });
});

test("progress is told with a whole only when that is known", () => {
  expect(said({ done: 34_000_000, total: null })).toBe("34 MB so far");
  expect(said({ done: 34_000_000, total: 68_000_000 })).toBe("34 MB of 68 MB, 50 %");
  expect(short(`sha256:${"ab".repeat(32)}`)).toBe("sha256:abababababab…");
  expect(unfit("Debian", "x")).toMatch(/lower case/);
  expect(unfit("debian-13", "reg/debian:13")).toBeNull();
});
