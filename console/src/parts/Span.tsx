// How far back plots go; in the address.

import { For } from "solid-js";
import { follow, param, withParams } from "../view/router";
import "./span.css";

const SPANS = ["1h", "6h", "1d"] as const;

/** Since when, as /v1/history takes it. */
export const span = (): string => SPANS.find((it) => it === param("span")) ?? "1h";

export const Span = () => (
  <nav class="span" aria-label="time that plots show">
    <For each={SPANS}>
      {(it) => {
        const to = () => withParams({ span: it === "1h" ? null : it });
        return (
          <a href={to()} aria-current={span() === it ? "true" : undefined} onClick={(event) => follow(event, to())}>
            {it}
          </a>
        );
      }}
    </For>
  </nav>
);
