// The inlets of a rack along an axis of degrees: a dot for each box, upon and beside each other where they are the same.

import { For, Show } from "solid-js";
import { type Inlets, stacks } from "./cool";

const WIDE = 420;
const DOT = 3;
/** Dots that stand upon each other, at most; more stand beside them. */
const MOST = 8;
/** Room for half a label at either end. */
const EDGE = 20;

/** Whole degrees around all racks' inlets, so that their strips compare. */
export function degrees(all: readonly Inlets[]): [number, number] {
  const low = Math.floor(Math.min(...all.map(({ least }) => least))) - 2;
  return [low, Math.max(low + 12, Math.ceil(Math.max(...all.map(({ most }) => most))) + 2)];
}

export function Strip(props: { inlets: Inlets; from: number; to: number }) {
  const degree = () => (WIDE - 2 * EDGE) / (props.to - props.from);
  const x = (at: number) => EDGE + (at - props.from) * degree();
  const room = () => Math.max(1, Math.floor(degree() / 2 / (DOT * 2)));
  /** Columns for so many dots: as many as are needed, and have room until the next half degree. */
  const columns = (dots: number) => Math.max(1, Math.min(room(), Math.ceil(dots / MOST)));
  const rows = () =>
    Math.max(3, ...stacks(props.inlets).map(({ boxes }) => Math.ceil(boxes.length / columns(boxes.length))));
  const high = () => Math.min(MOST, rows()) * DOT * 2 + (rows() > MOST ? 14 : 4);
  const ticks = () => {
    const step = props.to - props.from > 30 ? 10 : 5;
    const first = Math.ceil(props.from / step) * step;
    return Array.from({ length: Math.floor((props.to - first) / step) + 1 }, (_, i) => first + i * step);
  };
  return (
    <svg class="strip" viewBox={`0 0 ${WIDE} ${high() + 16}`} aria-hidden="true">
      <line class="axis" x1="0" x2={WIDE} y1={high() + 1} y2={high() + 1} />
      <For each={ticks()}>
        {(tick) => (
          <>
            <line class="axis" x1={x(tick)} x2={x(tick)} y1={high() + 1} y2={high() + 4} />
            <text x={x(tick)} y={high() + 14} text-anchor="middle">
              {tick} °C
            </text>
          </>
        )}
      </For>
      <For each={stacks(props.inlets)}>
        {({ at, boxes }) => {
          const across = () => columns(boxes.length);
          const shown = () => boxes.slice(0, across() * MOST);
          const left = () => x(at) - (across() - 1) * DOT;
          return (
            <>
              <For each={shown()}>
                {(box, i) => (
                  <circle
                    classList={{ most: box.place === props.inlets.hottest }}
                    cx={left() + (i() % across()) * DOT * 2}
                    cy={high() - DOT - Math.floor(i() / across()) * DOT * 2}
                    r={DOT - 0.4}
                  >
                    <title>
                      {box.place} {box.inlet} °C
                    </title>
                  </circle>
                )}
              </For>
              <Show when={boxes.length > shown().length}>
                <text x={x(at)} y={high() - MOST * DOT * 2 - 3} text-anchor="middle">
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
