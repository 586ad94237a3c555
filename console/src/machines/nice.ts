// A machine's shed order: what it means, and the action that changes it.

import { type Action, needs, reason } from "../act/action";
import type { Role } from "../api/types";
import { isNice } from "../parts/shed";

/** Why what was typed can't be its nice; null when it can. */
export function wrong(typed: string, now: number): string | null {
  if (typed.trim() === "") return "say which: −20 is shed last, 19 first";
  if (!isNice(typed)) return "a nice is a whole number from −20 (shed last) to 19 (shed first)";
  return Number(typed) === now ? `its nice is ${now} already` : null;
}

export function niceAction(
  { name, nice, state }: { name: string; nice: number; state: string },
  typed: string,
  role: Role,
  barred: string | null,
): Action {
  const fine = isNice(typed);
  const wanted = fine ? Number(typed) : null;
  return {
    id: "nice",
    label: "Set its nice",
    command: `busbar nice -n ${wanted ?? "NICE"} ${name}`,
    call: { method: "POST", path: `/v1/machines/${name}/nice`, body: { nice: wanted } },
    ...reason(
      barred,
      needs(role, "operator"),
      state === "released" && `${name} is released: nothing of it is left to shed`,
      wrong(typed, nice),
    ),
  };
}
