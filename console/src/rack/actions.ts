// What may be done to a box: each with the command and the API call that it is, why it can't be done now, and what dies of it.

import { type Action, needs, reason } from "../act/action";
import type { Box, Flank, Outlet, Role } from "../api/types";
import { type Shed, sake } from "../parts/shed";

/** What can be done to a box in a unit; `barred` says why nothing can. */
export function ofBox(box: Box, role: Role, barred: string | null): Action[] {
  // what is no server, or isn't there, can't be told anything
  if (box.kind !== "server" || !box.found) return [];
  const operator = needs(role, "operator");
  const unarmed = !box.armed && `${box.place} is only looked at; first: busbar arm ${box.place}`;
  const locate = { place: box.place, on: true };
  const own: Action[] = [
    {
      id: "locate",
      label: "Light it",
      command: `busbar locate ${box.place}`,
      call: { method: "POST", path: "/v1/locate", body: locate },
      ...reason(barred, operator, unarmed),
    },
    {
      id: "unlocate",
      label: "Put the light out",
      command: `busbar locate ${box.place} --off`,
      call: { method: "POST", path: "/v1/locate", body: { ...locate, on: false } },
      ...reason(barred, operator, unarmed),
    },
    box.armed
      ? {
          id: "disarm",
          label: "Disarm",
          command: `busbar disarm ${box.place}`,
          call: { method: "POST", path: "/v1/arm", body: { place: box.place, armed: false } },
          ...reason(barred, needs(role, "admin")),
        }
      : {
          id: "arm",
          label: "Arm",
          command: `busbar arm ${box.place}`,
          call: { method: "POST", path: "/v1/arm", body: { place: box.place, armed: true } },
          ...reason(barred, needs(role, "admin")),
        },
  ];
  const { machine } = box;
  return machine
    ? [...ofMachine({ name: machine, place: box.place, state: box.state, shed: box.shed }, role, barred), ...own]
    : own;
}

/** What can be done to a machine; `state` and `place` as they are told, null for none; `shed` is what is taken from it. */
export function ofMachine(
  { name, place, state, shed }: { name: string; place: string | null; state: string | null; shed?: Shed | null },
  role: Role,
  barred: string | null,
): Action[] {
  const held = reason(barred, needs(role, "operator"));
  const behind = place ?? "its box";
  const signal = (sent: string) =>
    ({ method: "POST", path: `/v1/machines/${name}/signal`, body: { signal: sent } }) as const;
  const runs = state === "running";
  const leaves = state === "draining" || state === "wiping";
  const leaving = leaves && { disabled: `${name} is being given back` };
  const not = (wrong: boolean, why: string) => (held.disabled ? held : leaving || (wrong ? { disabled: why } : {}));
  return [
    {
      id: "term",
      label: "Stop",
      command: `busbar kill -TERM ${name}`,
      call: signal("term"),
      dies: `What runs on ${name} is told to stop, and ${behind} goes off. Its disk stays.`,
      ...not(!runs, `${name} is ${state ?? "nowhere"}, not running`),
    },
    {
      id: "cont",
      label: "Start",
      command: `busbar kill -CONT ${name}`,
      call: signal("cont"),
      ...(shed?.stop != null
        ? reason(
            held.disabled,
            `Busbar stopped it ${sake(shed)}: it starts by itself when there is room; a lower nice gets room before others`,
          )
        : not(
            state !== "stopped" && state !== "held",
            `${name} is ${state ?? "nowhere"}: only what is stopped or held can be started`,
          )),
    },
    {
      id: "kill",
      label: "Power off",
      command: `busbar kill -KILL ${name}`,
      call: signal("kill"),
      dies: `${behind} loses its power at once. What ${name} has not written to its disk is lost.`,
      ...not(!runs, `${name} is ${state ?? "nowhere"}, not running`),
    },
    {
      id: "rm",
      label: "Wipe and give back",
      command: `busbar rm ${name}`,
      call: { method: "DELETE", path: `/v1/machines/${name}` },
      dies: `${name} ends, and everything on the disks of ${behind} is wiped. It can't be undone.`,
      ...not(false, ""),
    },
  ];
}

/** What can be done to an outlet; `feeds` is the box behind it, when it is known. */
export function ofOutlet(
  pdu: Flank,
  outlet: Outlet,
  feeds: Box | undefined,
  role: Role,
  barred: string | null,
): Action[] {
  const held = reason(barred, needs(role, "operator"));
  const victim = feeds?.machine;
  const verb = (order: "on" | "off" | "cycle", label: string, wrong: string | null): Action => {
    const inUse = victim && order !== "on";
    const behind = outlet.feeds ?? "what is plugged in";
    return {
      id: `${order}-${outlet.outlet}`,
      label,
      command: `busbar outlet ${order} ${pdu.place}/${outlet.outlet}${inUse ? " --in-use" : ""}`,
      call: {
        method: "POST",
        path: `/v1/outlets${inUse ? "?in_use=true" : ""}`,
        body: { pdu: pdu.place, outlet: outlet.outlet, order },
      },
      ...(order === "on"
        ? {}
        : { dies: `${behind} loses this supply${victim ? `; ${victim} dies if it has no other` : ""}.` }),
      ...(held.disabled ? held : wrong === null ? {} : { disabled: wrong }),
    };
  };
  return [
    verb("on", "On", outlet.on === true ? "it is on" : null),
    verb("off", "Off", outlet.on === false ? "it is off" : null),
    verb("cycle", "Cycle", outlet.on === false ? "it is off: switch it on" : null),
  ];
}
