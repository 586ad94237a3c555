// That the types which pages read are those of the API: `schema.d.ts` is made of crates/api/openapi.json (`openapi/`), and what differs
// is an error of the compiler that names the field. Nothing of this reaches the browser.

import type { Token } from "../audit/tokens";
import type { Parted, Unit, Vital } from "../cooling/cool";
import type { Image, User } from "../images/images";
import type { Free } from "../parts/free";
import type { Shed } from "../parts/shed";
import type { PoolNode } from "../pools/pool";
import type { components } from "./schema";
import type { Planned, Free as RunFree, Settings } from "../run/Outcome";
import type { Node } from "../run/pools";
import type { ConsoleView } from "../machines/console/line";
import type * as machines from "../machines/types";
import type { History } from "../parts/history";
import type * as lab from "../lab/types";
import type * as power from "../power/types";
import type * as ours from "./types";

type Schemas = components["schemas"];
type Missing = null | undefined;

/** Where `Ours` is no true picture of `Theirs`, as paths; never, when it is one. `Ours` may leave fields out. */
type Wrong<Theirs, Ours, Path extends string> = [Extract<Theirs, Missing>] extends [never]
  ? Differs<NonNullable<Theirs>, NonNullable<Ours>, Path>
  : [Extract<Ours, Missing>] extends [never]
    ? `${Path} may be missing`
    : Differs<NonNullable<Theirs>, NonNullable<Ours>, Path>;

type Differs<Theirs, Ours, Path extends string> = Theirs extends readonly (infer Their)[]
  ? Ours extends readonly (infer Our)[]
    ? Wrong<Their, Our, `${Path}[]`>
    : `${Path} is a list`
  : Theirs extends object
    ? Ours extends object
      ? {
          [Key in keyof Ours & string]: Key extends keyof Theirs
            ? Wrong<Theirs[Key], Ours[Key], `${Path}.${Key}`>
            : `${Path}.${Key} is not told`;
        }[keyof Ours & string]
      : `${Path} is an object`
    : [Theirs] extends [Ours]
      ? never
      : `${Path} is another type`;

/** Takes nothing but `never`: a path in an error here is a field that differs. */
type Same<Found extends never> = Found;

export type Checked = [
  Same<Wrong<Schemas["Me"], ours.Me, "Me">>,
  Same<Wrong<Schemas["RackSummary"], ours.RackRow, "RackRow">>,
  Same<Wrong<Schemas["Elevation"], ours.Elevation, "Elevation">>,
  Same<Wrong<Schemas["NodeView"], ours.NodeView, "NodeView">>,
  Same<Wrong<Schemas["DeviceView"], ours.DeviceView, "DeviceView">>,
  Same<Wrong<Schemas["Why"], ours.Why, "Why">>,
  Same<Wrong<Schemas["Image"], ours.Image, "Image">>,
  Same<Wrong<Schemas["EventView"], ours.EventView, "EventView">>,
  Same<Wrong<Schemas["OneLine"], power.OneLine, "OneLine">>,
  Same<Wrong<Schemas["Forecast"], power.Forecast, "Forecast">>,
  Same<Wrong<Schemas["Shed"], Shed, "Shed">>,
  Same<Wrong<Schemas["Problem"], ours.Problem, "Problem">>,
  Same<Wrong<Schemas["HistoryView"], History, "History">>,
  Same<Wrong<Schemas["MachineView"], machines.MachineView, "MachineView">>,
  Same<Wrong<Schemas["MachineView"], Planned, "Planned">>,
  Same<Wrong<Schemas["NodeView"], Omit<machines.MachineNode, "parts">, "MachineNode">>,
  Same<Wrong<Schemas["Part"], Omit<machines.Part, "kind">, "Part">>,
  Same<Wrong<Schemas["NodeView"], Omit<Node, "parts">, "Node">>,
  Same<Wrong<Schemas["MetadataView"], machines.Metadata, "Metadata">>,
  Same<Wrong<Schemas["SettingsView"], Omit<machines.SettingsView, "wanted">, "SettingsView">>,
  Same<Wrong<Schemas["SettingsView"], Settings, "Settings">>,
  Same<Wrong<Schemas["FreeView"], RunFree, "run/Free">>,
  Same<Wrong<Schemas["ConsoleView"], ConsoleView, "ConsoleView">>,
  Same<Wrong<Schemas["RackStatus"], lab.LabRack, "LabRack">>,
  Same<Wrong<Schemas["FaultKind"], lab.FaultKind, "FaultKind">>,
  Same<Wrong<Schemas["TokenView"], Token, "Token">>,
  Same<Wrong<Schemas["Vital"], Vital, "Vital">>,
  Same<Wrong<Schemas["DeviceView"], Unit, "Unit">>,
  Same<Wrong<Schemas["NodeView"], Parted, "Parted">>,
  // parts are of several kinds, whose fields are not told apart here
  Same<Wrong<Schemas["NodeView"], Omit<PoolNode, "parts">, "PoolNode">>,
  Same<Wrong<Schemas["FreeView"], Free, "Free">>,
  Same<Wrong<Schemas["Image"], Image, "images/Image">>,
  Same<Wrong<Schemas["MachineView"], User, "images/User">>,
];
