// What is shown of the events: in the address, so that it can be sent to somebody.

import { For, Show } from "solid-js";
import { go, param, withParams } from "../view/router";
import { type Filter, LEVELS } from "./query";

/** The filter that the address holds. */
export const filter = (level?: string): Filter => ({
  level: level ?? param("level") ?? "",
  about: param("about") ?? "",
  by: param("by") ?? "",
  text: param("text") ?? "",
});

const set = (name: string, value: string) =>
  go(withParams({ [name]: value.trim() === "" ? null : value, event: null }), { replace: true });

function Word(props: { name: "about" | "by" | "text"; hint: string; label?: string }) {
  return (
    <label>
      <span>{props.label ?? props.name}</span>
      <input
        type="search"
        value={param(props.name) ?? ""}
        placeholder={props.hint}
        onChange={(event) => set(props.name, event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && set(props.name, event.currentTarget.value)}
        spellcheck={false}
        autocomplete="off"
      />
    </label>
  );
}

export function Filters(props: { levels: boolean }) {
  return (
    <search class="filters">
      <Show when={props.levels}>
        <label>
          <span>level</span>
          <select value={param("level") ?? ""} onChange={(event) => set("level", event.currentTarget.value)}>
            <For each={LEVELS}>
              {({ id, label }) => (
                <option value={id} selected={(param("level") ?? "") === id}>
                  {label}
                </option>
              )}
            </For>
          </select>
        </label>
      </Show>
      <Word name="about" hint="web-1, r1/u12, r1" />
      <Word name="by" hint="a token, busbar" />
      <Word name="text" hint="power" label="with the words" />
    </search>
  );
}
