// What stands in a box of the one-line diagram, cut to its width.

import { briefly, held, sake, taken } from "../parts/shed";
import { slot, watts } from "../view/words";
import type { FedBox, Given } from "./types";

/** Pixels of a letter: of names, which are bold, and of the rest. */
const BOLD = 7;
const LETTER = 6.3;
/** Letters that a name keeps whatever stands beside it. */
const NAME = 4;

export interface Words {
  name: string;
  under: string;
  value: string;
  /** Whether it gives way: capped or stopped, now or in a forecast. */
  gives: "capped" | "stopped" | null;
  /** All of it, for who listens. */
  said: string;
}

/** `room`: pixels; with a forecast, whether it dies then, or what it gives up. */
export function words(box: FedBox, room: number, dies: boolean, given: Given | undefined): Words {
  const shed = held(box.shed);
  const now = box.watts === null ? (box.silent ? "no answer" : "no reading") : watts(box.watts);
  const gives = dies ? null : (given ?? shed);
  const called = box.machine ?? slot(box.place);
  const left = gives === null ? 16 : 28;
  const fits = (text: string) => left + NAME * BOLD + 8 + text.length * LETTER <= room;
  const choose = (...texts: string[]) => texts.find(fits) ?? texts.at(-1) ?? "";
  const value = () => {
    if (dies) return box.machine === null ? "goes dark" : "dies";
    if (given !== undefined)
      return choose(`→ ${briefly(given)}`, given.cap == null ? "→ less" : `→ ${watts(given.cap)}`);
    if (shed?.stop != null) return choose(`stopped ${sake(shed)}`, "stopped");
    if (shed?.cap != null)
      return choose(`${now}, capped ${watts(shed.cap)}`, `capped ${watts(shed.cap)}`, `≤ ${watts(shed.cap)}`);
    return box.cap === null || box.watts === null || room < 220 ? now : `${now} / ${watts(box.cap)}`;
  };
  const text = value();
  const beside = room - text.length * LETTER;
  const letters = Math.min(gives === null ? 17 : 15, Math.max(NAME, Math.floor((beside - left - 8) / BOLD)));
  const kind = box.machine ? slot(box.place) : box.power === "off" ? "off" : (box.model ?? box.kind);
  const rest = Math.floor((beside - 130 - 20) / LETTER);
  const would =
    given !== undefined && !dies
      ? `would be ${taken(given)}`
      : shed && !dies
        ? `${now}, ${taken(shed)} ${sake(shed)}`
        : text;
  return {
    name: called.length > letters ? `${called.slice(0, letters - 1)}…` : called,
    under: room > 300 && rest >= Math.min(kind.length, 6) ? kind.slice(0, rest) : "",
    value: text,
    gives: gives === null ? null : gives.stop != null ? "stopped" : "capped",
    said: `${box.place}${box.machine ? `, ${box.machine}` : ""}: ${would}`,
  };
}
