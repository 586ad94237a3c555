import { expect, test } from "vitest";
import { box, elevation, pdu } from "../api/made";
import { lit } from "./lit";

const rack = elevation({
  boxes: [box(1, { machine: "train" }), box(2, { machine: "train" }), box(3)],
  flanks: [pdu("pdu-a", 2), pdu("pdu-b", 1)],
});

test("a box lights its PDUs and the other boxes of its machine", () => {
  expect([...lit(rack, "r1/u1")].sort()).toEqual(["r1/pdu-a", "r1/pdu-b", "r1/u1", "r1/u2"]);
  expect([...lit(rack, "r1/u3")]).toEqual(["r1/u3"]);
});

test("a PDU lights what it feeds", () => {
  expect([...lit(rack, "r1/pdu-a")].sort()).toEqual(["r1/pdu-a", "r1/u1", "r1/u2"]);
});
