// What is chosen of a fault before it is made: which supply, which sensor, how much.

import { For, type JSX, Show } from "solid-js";
import * as offers from "./offers";
import type { FaultKind } from "./types";

export function Select(props: {
  label: string;
  of: readonly string[];
  value: string;
  onPick: (value: string) => void;
}): JSX.Element {
  return (
    <label class="choice">
      <select value={props.value} onChange={(event) => props.onPick(event.currentTarget.value)}>
        <For each={props.of}>{(it) => <option value={it}>{it === "" ? "all" : it}</option>}</For>
      </select>{" "}
      {props.label}
    </label>
  );
}

export function Choices(props: {
  kind: () => FaultKind | undefined;
  at: string;
  chosen: offers.Chosen;
  onChoose: (kind: string, parameter: string, text: string) => void;
}) {
  const spot = () => props.kind()?.at.find(({ place }) => place === props.at) ?? { place: props.at, values: [] };
  return (
    <For each={props.kind()?.parameters}>
      {(parameter) => {
        const action = () => props.kind()?.action ?? "";
        const value = () => props.chosen[action()]?.[parameter.name] ?? offers.usual(parameter, spot());
        const label = () => parameter.unit || parameter.name.replaceAll("_", " ");
        return (
          <Show
            when={parameter.listed}
            fallback={
              <label class="choice">
                <input
                  inputmode="decimal"
                  size={6}
                  value={value()}
                  onInput={(event) => props.onChoose(action(), parameter.name, event.currentTarget.value)}
                />{" "}
                {label()}
              </label>
            }
          >
            <Select
              label={label()}
              of={parameter.optional ? ["", ...spot().values] : spot().values}
              value={value()}
              onPick={(text) => props.onChoose(action(), parameter.name, text)}
            />
          </Show>
        );
      }}
    </For>
  );
}
