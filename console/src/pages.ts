// The pages. A page is one line here and a folder of its own, which the browser fetches when it is first looked at. Rack is home:
// it is shown for every path that no page claims.

import { type Component, lazy } from "solid-js";
import type { Live } from "./api/live";
import type { Me } from "./api/types";

export interface PageProps {
  live: Live;
}

export interface Page {
  /** First part of its path: `power` claims `/power` and all below. A rack of that name is at `/power+`. */
  segment: string;
  title: string;
  /** Whether there is anything to show; without it, always. What the daemon doesn't offer is not shown. */
  shown?: (me: Me) => boolean;
  Body: Component<PageProps>;
}

export const PAGES: readonly Page[] = [
  {
    segment: "machines",
    title: "Machines",
    Body: lazy(() => import("./machines/MachinesPage").then((m) => ({ default: m.MachinesPage }))),
  },
  { segment: "run", title: "Run", Body: lazy(() => import("./run/RunPage").then((m) => ({ default: m.RunPage }))) },
  {
    segment: "power",
    title: "Power",
    Body: lazy(() => import("./power/PowerPage").then((it) => ({ default: it.PowerPage }))),
  },
  {
    segment: "cooling",
    title: "Cooling",
    Body: lazy(() => import("./cooling/CoolingPage").then((m) => ({ default: m.CoolingPage }))),
  },
  {
    segment: "pools",
    title: "Pools",
    Body: lazy(() => import("./pools/PoolsPage").then((m) => ({ default: m.PoolsPage }))),
  },
  {
    segment: "images",
    title: "Images",
    Body: lazy(() => import("./images/ImagesPage").then((m) => ({ default: m.ImagesPage }))),
  },
  {
    segment: "capacity",
    title: "Capacity",
    Body: lazy(() => import("./capacity/CapacityPage").then((m) => ({ default: m.CapacityPage }))),
  },
  {
    segment: "events",
    title: "Events",
    Body: lazy(() => import("./events/EventsPage").then((m) => ({ default: m.EventsPage }))),
  },
  {
    segment: "audit",
    title: "Audit",
    Body: lazy(() => import("./audit/AuditPage").then((m) => ({ default: m.AuditPage }))),
  },
  {
    segment: "lab",
    title: "Lab",
    shown: (me) => me.emulator,
    Body: lazy(() => import("./lab/LabPage").then((it) => ({ default: it.LabPage }))),
  },
];

/** The first part of a path. */
export const segment = (path: string) => path.split("/")[1] ?? "";

/** The page of a path; undefined is Rack. */
export const pageOf = (path: string): Page | undefined => PAGES.find((page) => page.segment === segment(path));
