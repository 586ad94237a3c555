// More than one feed carries: the scenario in which somebody has to give way. Pure: chosen from what the rack truly has.

import type { Action } from "../act/action";
import { type Lab, running, speed, toTry, working } from "./offers";
import { scenarios } from "./scenarios";
import type { LabRack } from "./types";

/** The rack as it is drawn. */
export interface Stage {
  rack: string;
  machines: readonly string[];
  /** The free box that can draw most, when no machine has one like it. */
  hungry: string | undefined;
  /** Any free box. */
  free: string | undefined;
}

/** Machines with which a rack made in code draws more than one feed carries, when they work hard. */
const ENOUGH = 5;
/** A share of its rating at which a feed is surely overloaded. */
const OVER = 1.05;

/** What one feed's breaker would carry if it carried everything, and what it is rated for, in amperes; null when that can't be said. */
export function alone(rack: LabRack, left: string): { amps: number; rated: number } | null {
  const of = rack.gear.find(({ what, name }) => what.includes("breaker") && name.startsWith(`${left}-`));
  if (of?.rated == null || of.rated <= 0 || of.watts <= 0 || !of.live) return null;
  const all = rack.gear.filter(({ what }) => what === "source").reduce((sum, { watts }) => sum + watts, 0);
  return { amps: of.amps * (all / of.watts), rated: of.rated };
}

const FULL = {
  label: "Work at full power",
  does: "Every box that runs something works as hard as it can: when enough of them do, they draw more than one feed carries.",
};
const hungriest = (place: string) =>
  `${place} can draw most of all; with nice 10 its machine is the first to give way.`;
const another = (place: string) =>
  `The image demo on ${place}: ${ENOUGH} or so that work hard need more than one feed.`;

/** Breakers follow the rack's own time, and whoever saves them does not. */
const slow = (lab: Lab): Action[] => {
  const does = `Its time runs ${lab.rack.speed} times as fast as real, and so much sooner its breakers trip.`;
  return lab.rack.speed > 1 ? [speed("1", "Run at real time", does, lab)] : [];
};

/** What is done, one after the other: offered when there are machines, and two feeds of which one can be lost. */
export function story(lab: Lab, { rack: name, machines, hungry, free }: Stage): Action[] {
  const { rack, kinds, faults } = lab;
  const feeds = kinds.find(({ action }) => action === "lose_feed")?.at.map(({ place }) => place) ?? [];
  const lost = scenarios(rack, kinds, faults).find(({ id }) => id === "feed")?.wish.at;
  const left = feeds.find((feed) => feed !== lost);
  const lose = toTry(lab).find(({ id }) => id === "feed");
  const work = working("full", FULL, name, lab);
  if (machines.length === 0 || lost === undefined || left === undefined || !lose || !work) return [];
  const load = alone(rack, left);
  const set = faults.some(({ action, on }) => action === "lose_feed" && on.at === lost);
  const then =
    load === null
      ? ""
      : ` ${left} ${set ? "carries" : "would carry"} ${load.amps.toFixed(1)} A; its breaker is rated for ${Number(load.rated.toFixed(1))}.`;
  const enough = machines.length >= ENOUGH && (load === null || load.amps > OVER * load.rated);
  const more = set ? undefined : (hungry ?? (enough ? undefined : free));
  const run =
    more === undefined
      ? []
      : [
          more === hungry
            ? running(more, machines, hungriest(more), lab, 10)
            : running(more, machines, another(more), lab),
        ];
  return [...run, work, ...slow(lab), { ...lose, does: `${lose.does ?? ""}${then}` }];
}
