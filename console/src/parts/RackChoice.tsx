// Of which rack a page tells, or of all; in the address. With one rack there is nothing to choose.

import { For, Show } from "solid-js";
import type { RackRow } from "../api/types";
import { go, param, withParams } from "../view/router";
import "./share.css";

/** The rack that was chosen; null is all. */
export const chosenRack = () => param("rack");

export const RackChoice = (props: { racks: readonly RackRow[] }) => (
  <Show when={props.racks.length > 1}>
    <label class="choice">
      <span>rack</span>
      <select onChange={(event) => go(withParams({ rack: event.currentTarget.value || null }), { replace: true })}>
        <option value="">all</option>
        <For each={props.racks}>
          {({ name }) => (
            <option value={name} selected={chosenRack() === name}>
              {name}
            </option>
          )}
        </For>
      </select>
    </label>
  </Show>
);
