// How much of something is reserved, free, or neither, as one bar; its numbers stand beside it.

import { createUniqueId, Show } from "solid-js";
import { type Column, digits } from "./Head";
import { shares } from "./shares";

const WIDE = 140;
const HIGH = 10;

export function Share(props: { total: number; reserved: number; free: number }) {
  const id = createUniqueId();
  const part = () => shares(props.total, props.reserved, props.free);
  return (
    <Show when={props.total > 0}>
      <svg class="share" width={WIDE} height={HIGH} viewBox={`0 0 ${WIDE} ${HIGH}`} aria-hidden="true">
        <pattern id={id} width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="hatch" width="1.2" height="4" />
        </pattern>
        <rect class="held" width={part().reserved * WIDE} height={HIGH} />
        <rect x={part().reserved * WIDE} width={part().neither * WIDE} height={HIGH} fill={`url(#${id})`} />
        <rect class="whole" x="0.5" y="0.5" width={WIDE - 1} height={HIGH - 1} />
      </svg>
    </Show>
  );
}

/** What the shades of the bars mean. */
function Key() {
  return (
    <>
      <span class="key held">reserved</span> <span class="key neither">neither</span> <span class="key free">free</span>
    </>
  );
}

/** Columns of a table of amounts with such bars; `all`: what the whole is called. */
export const amounts = (all: string): (string | Column)[] => [
  "resource",
  ...[all, "reserved", "used", "free", "largest piece"].map((name) => digits(name)),
  { name: <Key />, as: "bar" },
];
