// The inlets of a rack along an axis of degrees: a dot for each box, upon and beside each other where they are the same.

import { For, Show } from "solid-js";
import { type Inlets, stacks } from "./cool";

const WIDE = 420;
const DOT = 3;
/** Dots that stand upon each other, at most; more stand beside them. */
const MOST = 8;
const HIGH = MOST * DOT * 2 + 14;

/** Whole degrees around all racks' inlets, so that their strips compare. */
export function degrees(all: readonly Inlets[]): [number, number] {
  const low = Math.floor(Math.min(...all.map(({ least }) => least))) - 2;
  return [low, Math.max(low + 12, Math.ceil(Math.max(...all.map(({ most }) => most))) + 2)];
}

export function Strip(props: { inlets: Inlets; from: number; to: number }) {
  const x = (at: number) => ((at - props.from) / (props.to - props.from)) * WIDE;
  const half = () => WIDE / (props.to - props.from) / 2;
  const ticks = () => {
    const step = props.to - props.from > 30 ? 10 : 5;
    const first = Math.ceil(props.from / step) * step;
    return Array.from({ length: Math.floor((props.to - first) / step) + 1 }, (_, i) => first + i * step);
  };
  return (
    <svg class="strip" viewBox={`0 0 ${WIDE} ${HIGH + 16}`} aria-hidden="true">
      <line class="axis" x1="0" x2={WIDE} y1={HIGH + 1} y2={HIGH + 1} />
      <For each={ticks()}>
        {(tick) => (
          <>
            <line class="axis" x1={x(tick)} x2={x(tick)} y1={HIGH + 1} y2={HIGH + 4} />
            <text x={x(tick)} y={HIGH + 14} text-anchor="middle">
              {tick} °C
            </text>
          </>
        )}
      </For>
      <For each={stacks(props.inlets)}>
        {({ at, boxes }) => {
          // as many columns as there is room for until the next half degree
          const columns = () => Math.max(1, Math.min(Math.floor(half() / (DOT * 2)), Math.ceil(boxes.length / MOST)));
          const shown = () => boxes.slice(0, columns() * MOST);
          const left = () => x(at) - (columns() - 1) * DOT;
          return (
            <>
              <For each={shown()}>
                {(box, i) => (
                  <circle
                    classList={{ most: box.place === props.inlets.hottest }}
                    cx={left() + (i() % columns()) * DOT * 2}
                    cy={HIGH - DOT - Math.floor(i() / columns()) * DOT * 2}
                    r={DOT - 0.4}
                  >
                    <title>
                      {box.place} {box.inlet} °C
                    </title>
                  </circle>
                )}
              </For>
              <Show when={boxes.length > shown().length}>
                <text x={x(at)} y={HIGH - MOST * DOT * 2 - 3} text-anchor="middle">
                  +{boxes.length - shown().length}
                </text>
              </Show>
            </>
          );
        }}
      </For>
    </svg>
  );
}
