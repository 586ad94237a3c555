// What the colours mean: steps of the palette with the numbers at their ends, or classes with their words.

import { For, Show } from "solid-js";
import type { Legend as Told } from "../api/types";
import { CLASSES, cividis, css } from "../draw/palette";

const STEPS = 12;

export function Legend(props: { legend: Told; unit: string }) {
  const number = (value: number | null) =>
    value === null ? "" : `${Number.isInteger(value) ? value : value.toFixed(1)} ${props.unit}`;
  return (
    <div class="legend">
      <Show
        when={props.legend.classes.length > 0}
        fallback={
          <>
            <span>{number(props.legend.low)}</span>
            <svg width={STEPS * 10} height="12" aria-hidden="true">
              <For each={Array.from({ length: STEPS }, (_, i) => i)}>
                {(i) => <rect x={i * 10} width="10" height="12" fill={css(cividis(i / (STEPS - 1)))} />}
              </For>
            </svg>
            <span>{number(props.legend.high)}</span>
            <span class="label">{props.legend.label}</span>
          </>
        }
      >
        <For each={props.legend.classes}>
          {(it) => (
            <span class="class">
              <svg width="10" height="10" aria-hidden="true">
                <rect width="10" height="10" fill={CLASSES[it.class]} />
              </svg>
              {it.label} <b>{it.boxes}</b>
            </span>
          )}
        </For>
      </Show>
    </div>
  );
}
