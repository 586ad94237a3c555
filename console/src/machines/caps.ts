// What may be done about a box's power cap: set it, for good or on trial, keep what is on trial, lift it.

import { type Action, needs, reason } from "../act/action";
import type { Role } from "../api/types";
import { type Shed, sake } from "../parts/shed";
import { watts } from "../view/words";
import type { CapWish, SettingsView } from "./types";

/** How long a cap may be tried, by the word that the command line takes; "" is for good. */
export const TRIALS = [
  { word: "", label: "until it is changed", seconds: null },
  { word: "5m", label: "on trial for 5 minutes", seconds: 300 },
  { word: "1h", label: "on trial for an hour", seconds: 3600 },
] as const;

/** A cap in words. */
export const wish = (cap: CapWish | null | undefined) =>
  cap == null ? "none wanted" : cap === "lifted" ? "lifted" : watts(cap.watts);

const system = (settings: SettingsView) => settings.caps.find(({ id }) => id === "system");

/** Why a number of watts that was typed can't be a cap of this box; null when it can. */
export function wrong(typed: string, settings: SettingsView): string | null {
  const cap = system(settings);
  const number = Number(typed);
  if (typed.trim() === "") return "say how many watts";
  if (!Number.isFinite(number) || number <= 0) return "a cap is a number of watts above zero";
  if (cap?.lowest != null && number < cap.lowest) return `this box takes no less than ${watts(cap.lowest)}`;
  if (cap?.highest != null && number > cap.highest) return `this box takes no more than ${watts(cap.highest)}`;
  return null;
}

/** Whether the cap that is in force is there so that nothing trips, whatever anybody wants. */
export const ours = (shed: Shed | null, settings: SettingsView): shed is Shed =>
  shed?.cap != null && system(settings)?.watts === shed.cap;

export function capActions(
  of: { name: string; place: string; settings: SettingsView; shed: Shed | null },
  typed: { watts: string; trial: string },
  role: Role,
  barred: string | null,
): Action[] {
  const { name, place, settings } = of;
  const trial = TRIALS.find(({ word }) => word === typed.trial) ?? TRIALS[0];
  const cap = system(settings);
  const held =
    barred ??
    needs(role, "operator") ??
    (cap === undefined
      ? "this box has no power cap"
      : cap.writable
        ? null
        : "this box shows its cap and lets nobody set it");
  const call = (body: Record<string, unknown>) =>
    ({ method: "POST", path: "/v1/settings", body: { place, ...body } }) as const;
  const tried = trial.seconds === null ? {} : { try_seconds: trial.seconds };
  const option = trial.word === "" ? "" : ` --try ${trial.word}`;
  const number = Number(typed.watts);
  const fine = wrong(typed.watts, settings) === null;
  const actions: Action[] = [
    {
      id: "cap-set",
      label: trial.word === "" ? "Set the cap" : "Try the cap",
      command: `busbar cap ${name} ${fine ? `${number}W` : "WATTS"}${option}`,
      call: call({ cap: { watts: fine ? number : null }, ...tried }),
      ...reason(held, wrong(typed.watts, settings)),
    },
    {
      id: "cap-lift",
      label: "Lift the cap",
      command: `busbar cap ${name} none${option}`,
      call: call({ cap: "lifted", ...tried }),
      ...reason(
        held,
        settings.wanted.cap == null && ours(of.shed, settings)
          ? `the cap is Busbar's own, ${sake(of.shed)}: it is lifted when there is room`
          : cap?.watts == null && settings.wanted.cap == null && "there is no cap",
      ),
    },
  ];
  if (settings.wanted.trial) {
    actions.unshift({
      id: "cap-keep",
      label: "Keep what is on trial",
      command: `busbar cap ${name} --keep`,
      call: call({ keep: true }),
      ...reason(barred, needs(role, "operator")),
    });
  }
  return actions;
}
