// How far back plots go; in the address.

import { For } from "solid-js";
import { follow, param, withParams } from "../view/router";
import { spanOf, USUAL } from "./spans";
import "./span.css";

/** Of a page that does not say its own. */
const SPANS = [USUAL, "6h", "1d"] as const;

/** Since when, as /v1/history takes it. */
export const span = (): string => spanOf(SPANS, param("span"));

export const Span = (props: {
  /** Those that can be chosen, by their words in the address; the usual one first. */
  of?: readonly string[];
  /** How they are shown, where that is otherwise. */
  words?: Record<string, string>;
  label?: string;
}) => (
  <nav class="spans" aria-label={props.label ?? "time that plots show"}>
    <For each={props.of ?? SPANS}>
      {(it) => {
        const to = () => withParams({ span: it === USUAL ? null : it });
        const chosen = () => spanOf(props.of ?? SPANS, param("span")) === it;
        return (
          <a href={to()} aria-current={chosen() ? "true" : undefined} onClick={(event) => follow(event, to())}>
            {props.words?.[it] ?? it}
          </a>
        );
      }}
    </For>
  </nav>
);
