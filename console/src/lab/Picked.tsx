// What can be done to the thing that is picked: its work, and whatever can be broken there.

import { createEffect, createMemo, createSignal, For, on, Show } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import { Acts } from "../act/Acts";
import { MachineLink, PlaceLink } from "../parts/Links";
import { Choices, Select } from "./Choices";
import * as offers from "./offers";
import type { FaultKind } from "./types";

const PARTS: { part: FaultKind["part"]; title: string }[] = [
  { part: "bmc", title: "Faults of its BMC" },
  { part: "machine", title: "Faults of what runs on it" },
];

export function Picked(props: {
  at: string;
  /** Where it stands, when that is drawn. */
  place: string | null;
  machine: string | null;
  lab: offers.Lab;
  onDone: () => void;
}) {
  const [chosen, choose] = createStore<offers.Chosen>({});
  const [load, setLoad] = createSignal("training");
  // what was chosen for another has no meaning here
  createEffect(
    on(
      () => props.at,
      () => choose(reconcile({})),
      { defer: true },
    ),
  );
  const working = () => {
    const box = props.lab.rack.boxes.find(({ place }) => place === props.at);
    return box ? [offers.ofLoad(box, load(), props.lab)] : [];
  };
  const faults = (part: FaultKind["part"]) => offers.breakable(props.at, part, chosen, props.lab);
  const there = createMemo(() => PARTS.filter(({ part }) => faults(part).length > 0));
  const Faults = (of: { part: FaultKind["part"] }) => (
    <Acts
      actions={faults(of.part)}
      onDone={props.onDone}
      choices={(action) => (
        <Choices
          kind={() => props.lab.kinds.find((kind) => kind.action === action().id)}
          at={props.at}
          chosen={chosen}
          onChoose={(kind, parameter, text) => choose(kind, (all) => ({ ...all, [parameter]: text }))}
        />
      )}
    />
  );
  return (
    <section aria-label={`what can be done to ${props.at}`}>
      <h2>
        <Show when={props.place} fallback={props.at}>
          {(place) => <PlaceLink place={place()}>{props.at}</PlaceLink>}
        </Show>{" "}
        <Show when={props.machine}>{(machine) => <MachineLink name={machine()} />}</Show>
      </h2>
      <p class="under">Pick another in the drawing or the table.</p>
      <Show when={working().length > 0}>
        <Acts
          actions={working()}
          onDone={props.onDone}
          choices={() => <Select label="load" of={offers.LOADS} value={load()} onPick={setLoad} />}
        />
      </Show>
      <Faults part="plant" />
      <For each={there()}>
        {({ part, title }) => (
          <details>
            <summary>
              {title}, {faults(part).length}
            </summary>
            <Faults part={part} />
          </details>
        )}
      </For>
    </section>
  );
}
