// What may be done in the lab, as actions: scenarios, faults of one place, work, and the pace of time.

import { type Action, reason } from "../act/action";
import { type Called, breaking, effect, isSet, mending, told, type Wish } from "./faults";
import { scenarios } from "./scenarios";
import type { Fault, FaultKind, LabBox, LabRack, Parameter, Spot } from "./types";

export interface Lab {
  rack: LabRack;
  kinds: readonly FaultKind[];
  faults: readonly Fault[];
  /** Why nothing can be done now. */
  barred: string | null;
  called: Called;
  /** When a fault was set, in words. */
  since: (fault: Fault) => string;
}

/** A fault set or undone, whichever it isn't. */
function toggle(id: string, label: string, wish: Wish, kind: FaultKind, lab: Lab): Action {
  const held = reason(lab.barred);
  const set = lab.faults.find((fault) => isSet(wish, fault));
  if (set) return mending(id, set, `${label}: done${lab.since(set)}.`, held);
  return breaking(id, label, wish, effect(wish, kind, lab.rack, lab.called), held);
}

/** What may be tried with one click. */
export const toTry = (lab: Lab): Action[] =>
  scenarios(lab.rack, lab.kinds, lab.faults).flatMap(({ id, label, wish }) => {
    const kind = lab.kinds.find(({ action }) => action === wish.action);
    return kind ? [toggle(id, label, wish, kind, lab)] : [];
  });

/** What is chosen for the parameters of each kind of fault, by its action and the parameter's name. */
export type Chosen = Record<string, Record<string, string>>;

/** What a parameter is when nobody chose: the usual number, or the first of a list; of one that may be left out, nothing. */
export const usual = (parameter: Parameter, spot: Spot) =>
  parameter.listed ? (parameter.optional ? "" : (spot.values[0] ?? "")) : `${parameter.usual ?? ""}`;

/** A chosen number that can't be, and why. */
function wrong(parameter: Parameter, text: string): string | null {
  if (parameter.listed) return null;
  const number = Number(text);
  const { least, most } = parameter;
  if (text.trim() === "" || !Number.isFinite(number)) return `${parameter.name} is a number`;
  if (least != null && number < least) return `${parameter.name} is ${least} at least`;
  if (most != null && number > most) return `${parameter.name} is ${most} at most`;
  return null;
}

const value = (text: string) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

/** What can be broken at a place, of the plant, of its BMC, or of what runs on it. */
export function breakable(at: string, part: FaultKind["part"], chosen: Chosen, lab: Lab): Action[] {
  return lab.kinds.flatMap((kind) => {
    const spot = kind.part === part && kind.at.find(({ place }) => place === at);
    if (!spot) return [];
    const all = kind.parameters.map((parameter) => ({
      parameter,
      text: chosen[kind.action]?.[parameter.name] ?? usual(parameter, spot),
    }));
    const how = Object.fromEntries(
      all.filter(({ text }) => text !== "").map(({ parameter, text }) => [parameter.name, value(text)]),
    );
    const bad = all.map(({ parameter, text }) => wrong(parameter, text)).find((it) => it !== null) ?? null;
    const action = toggle(kind.action, kind.title, { action: kind.action, at, how }, kind, lab);
    return [{ ...action, ...reason(lab.barred, bad) }];
  });
}

/** What is broken now, each with its mending. */
export function broken(lab: Lab): Action[] {
  const held = reason(lab.barred);
  const each = lab.faults.map((fault) =>
    mending(`mend-${fault.id}`, fault, `${told(fault, lab.kinds)}${lab.since(fault)}`, held),
  );
  const all: Action = {
    id: "mend-all",
    label: "Mend all",
    command: "busbar emulate clear --all",
    call: { method: "DELETE", path: "/v1/lab/faults" },
    ...held,
  };
  return each.length > 1 ? [all, ...each] : each;
}

/** Asking boxes to do something. */
export const work = (id: string, label: string, at: string, load: string, does: string, lab: Lab): Action => ({
  id,
  label,
  does,
  command: `busbar emulate load ${at.includes("*") ? `'${at}'` : at} ${load}`,
  call: { method: "PUT", path: "/v1/lab/load", body: { at, load } },
  ...reason(lab.barred),
});

export const LOADS = ["idle", "0.3", "0.8", "full", "inference", "training"] as const;
export const SPEEDS = ["0", "1", "10", "20", "50", "200"] as const;
export const STEPS = ["60", "600", "3600"] as const;

/** How fast the rack's time runs. */
export const speed = (times: string, label: string, does: string, lab: Lab): Action => ({
  id: "speed",
  label,
  does,
  command: `busbar emulate speed ${times}`,
  call: { method: "PUT", path: "/v1/lab/speed", body: { speed: Number(times) } },
  ...reason(lab.barred),
});

/** The pace of the rack's time. */
export const pace = (times: string, step: string, lab: Lab): Action[] => [
  speed(
    times,
    "Set the speed",
    `Its time runs ${lab.rack.speed === 0 ? "not at all" : `${lab.rack.speed} times as fast as real`}.`,
    lab,
  ),
  {
    id: "step",
    label: "Put it forward",
    does: "What takes so long is there at once: heat, leaks, drifting sensors.",
    command: `busbar emulate step ${step}s`,
    call: { method: "POST", path: "/v1/lab/step", body: { seconds: Number(step) } },
    ...reason(lab.barred),
  },
];

/** Work for those that run, or rest when they do it; null when nothing runs. */
export function working(
  load: "training" | "full",
  { label, does }: { label: string; does: string },
  rack: string,
  lab: Lab,
): Action | null {
  const on = lab.rack.boxes.filter((box) => box.on && box.activity != null);
  if (on.length === 0) return null;
  const all = `${rack}/*`;
  return on.every((box) => box.load === load)
    ? work("work", "Let them rest", all, "idle", does, lab)
    : work("work", label, all, load, does, lab);
}

const TRAIN = {
  label: "Put them to work",
  does: "Every box that runs something trains: more watts, more heat, faster fans; watts swing as gradients are exchanged.",
};

/** The first name that is free: `lab-1`. */
const unused = (names: readonly string[]) =>
  Array.from({ length: names.length + 1 }, (_, n) => `lab-${n + 1}`).find((it) => !names.includes(it)) ?? "lab-1";

/** A machine on a free box; `nice` is its shed order. */
export const running = (on: string, names: readonly string[], does: string, lab: Lab, nice?: number): Action => {
  const name = unused(names);
  const order = nice === undefined ? {} : { nice };
  return {
    id: "run",
    label: "Run a machine",
    does,
    command: `busbar run demo --name ${name} --on ${on}${nice === undefined ? "" : ` --nice=${nice}`}`,
    call: { method: "POST", path: "/v1/machines", body: { image: "demo", name, on, ...order } },
    ...reason(lab.barred),
  };
};

/** Something to lose: a machine on a free box, and work for those that run. */
export function start(free: string | undefined, names: readonly string[], rack: string, lab: Lab): Action[] {
  const does = `Something to lose: the image demo on ${free}, which boots and installs as a real server does.`;
  const first = free === undefined || names.length >= 3 ? [] : [running(free, names, does, lab)];
  const second = working("training", TRAIN, rack, lab);
  return second === null ? first : [...first, second];
}

/** The load of one box. */
export const ofLoad = (box: LabBox, load: string, lab: Lab): Action =>
  work(
    "load",
    "Set its load",
    box.place,
    load,
    `It is asked for ${box.load}${box.on ? ` and does ${box.work.toFixed(0)} % of full load` : ", once something runs on it"}.`,
    lab,
  );
