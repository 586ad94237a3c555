// What somebody who looks at racks may want to do next: as `busbar` alone says it in a terminal.

import type { Elevation, Role } from "../api/types";
import { held as heldBack } from "../parts/shed";
import { machineHref, placeHref } from "../view/hrefs";

export interface Step {
  label: string;
  /** Where it is done. */
  href: string;
  command: string;
  /** What comes of it. */
  because: string;
}

/** At most three, the first thing first. `free` servers could be given out; `pages` are the segments of the pages that are offered. */
export function next(
  racks: Pick<Elevation, "rack" | "boxes" | "flanks">[],
  free: number,
  me: { role: Role; emulator: boolean },
  pages: readonly string[],
): Step[] {
  const [first] = racks;
  if (!first) return [];
  const servers = racks.flatMap(({ boxes }) => boxes).filter(({ kind, found }) => kind === "server" && found);
  const machines = servers.flatMap(({ machine, place }) => (machine ? [{ machine, place }] : []));
  const unarmed = servers.filter(({ armed }) => !armed);
  const held = servers.find(({ held }) => held !== null);
  const less = servers.find(({ shed }) => heldBack(shed) !== null);
  const pdu = racks.flatMap(({ flanks }) => flanks).find(({ found }) => found);
  const steps: (Step | false | undefined)[] = [
    held !== undefined && {
      label: `See why ${held.machine ?? held.place} is held`,
      href: pages.includes("machines") && held.machine ? machineHref(held.machine) : placeHref(held.place),
      command: `busbar why ${held.machine ?? held.place}`,
      because: held.held ?? "",
    },
    less !== undefined &&
      pages.includes("power") && {
        label: "See who gives way so that nothing trips",
        href: `/power/${less.place.split("/")[0]}`,
        command: `busbar why ${less.machine ?? less.place}`,
        because: less.shed?.because ?? "",
      },
    unarmed.length > 0 &&
      unarmed.length === servers.length && {
        label: `Arm ${first.rack}`,
        href: placeHref(unarmed[0]?.place ?? first.rack),
        command: `busbar arm ${first.rack}`,
        because: "Busbar only reads this rack; armed, it may power and install its servers.",
      },
    free > 0 &&
      pages.includes("run") &&
      me.role !== "reader" && {
        label: machines.length === 0 ? "Run a first machine" : "Run another machine",
        href: "/run",
        command: "busbar run IMAGE",
        because: `${free} of ${servers.length} servers ${free === 1 ? "is" : "are"} free.`,
      },
    pdu !== undefined &&
      pages.includes("power") && {
        label: `Ask what dies when ${short(pdu.place)} fails`,
        href: `/power/${first.rack}?fail=${encodeURIComponent(pdu.place)}`,
        command: `busbar whatif fail ${pdu.place}`,
        because: "A forecast; nothing is changed.",
      },
    me.emulator &&
      pages.includes("lab") && {
        label: "Break something",
        href: "/lab",
        command: "busbar emulate fault PLACE FAULT",
        because: "This rack is made of software: feeds, fans, disks and coolant can fail at a click, and be mended.",
      },
  ];
  return steps.filter((step) => step !== undefined && step !== false).slice(0, 3);
}

const short = (place: string) => place.slice(place.indexOf("/") + 1);
