// One rack, drawn. It decides nothing: rectangles come from `layout`, colours from `paint`, shapes from `mark`.

import { createMemo, For, type JSX, Show } from "solid-js";
import type { Box, Cell, Elevation, Flank } from "../api/types";
import { age, OLD } from "../view/words";
import { cord, grid, strip, type PlacedFlank, type PlacedOutlet, type Plan, type Rect } from "./layout";
import { mark, outline } from "./mark";
import { ageOf, paint } from "./paint";

export interface DrawingProps {
  elevation: Elevation;
  plan: Plan;
  /** When it came, and what time it is: milliseconds. */
  came: number;
  now: number;
  /** The focused place. */
  focus: string | null;
  /** The place that Tab leads to. */
  stop: string | null;
  /** Places that are lit while the rest fades; null when nothing is. */
  lit: Set<string> | null;
  /** Whether a box is meant by the highlight. */
  meant: (box: Box | Flank) => boolean;
  onHover: (place: string | null) => void;
  onFocus: (place: string, byKey: boolean) => void;
  onBlur: () => void;
}

/** Pixels of a letter of the drawing's text, on average. */
const LETTER = 6.2;

const cut = (text: string, width: number) => {
  const most = Math.floor(width / LETTER);
  return text.length <= most ? text : most < 2 ? "" : `${text.slice(0, most - 1)}…`;
};

export function Drawing(props: DrawingProps) {
  const id = `hatch-${props.elevation.rack}`;
  const fed = createMemo(() => new Map(props.plan.boxes.map((it) => [it.box.place, it])));
  const cords = createMemo(() => {
    const { focus, lit, plan } = props;
    const wanted = lit ?? new Set(focus === null ? [] : [focus]);
    return plan.flanks.flatMap((flank) =>
      flank.outlets.flatMap((outlet) => {
        const { feeds } = outlet.outlet;
        const box = feeds === null ? undefined : fed().get(feeds);
        const both = box && wanted.has(box.box.place) && (lit === null || lit.has(flank.side.place));
        return both || (box && focus === flank.side.place)
          ? [{ line: cord(outlet, box), off: outlet.outlet.on === false }]
          : [];
      }),
    );
  });
  const handlers = (place: string): JSX.GSVGAttributes<SVGGElement> => ({
    onPointerEnter: () => props.onHover(place),
    onPointerLeave: () => props.onHover(null),
    onFocus: (event) => props.onFocus(place, event.currentTarget.matches(":focus-visible")),
    onBlur: () => props.onBlur(),
    // Safari gives no focus by click to what is no form control
    onClick: (event) => event.currentTarget.focus(),
  });
  const faded = (item: Box | Flank) => (props.lit !== null && !props.lit.has(item.place)) || !props.meant(item);
  // by place, so that a new drawing changes what is there and takes the focus from nobody
  const boxes = keyed(() => [...props.plan.boxes, ...props.plan.feet].map((it) => [it.box.place, it]));
  const flanks = keyed(() => props.plan.flanks.map((it) => [it.side.place, it]));
  // one veil with holes in it, since 420 translucent groups would be 420 layers to blend
  const veil = createMemo(() => {
    const bright = [
      ...props.plan.boxes.map((it) => ({ it, item: it.box })),
      ...props.plan.feet.map((it) => ({ it, item: it.box })),
      ...props.plan.flanks.map((it) => ({ it, item: it.side })),
    ].map(({ it, item }) => (faded(item) ? null : it));
    if (!bright.includes(null)) return "";
    const { width, height, frame } = props.plan;
    const holes = bright.map((it) => (it === null ? "" : `M${it.x} ${it.y}h${it.w}v${it.h}h${-it.w}Z`));
    return `M-2 ${frame.y - 1}H${width + 2}V${height}H-2Z${holes.join("")}`;
  });
  const over = () => (props.focus === null ? undefined : (boxes.at(props.focus) ?? flanks.at(props.focus)));
  return (
    <svg
      class="rack"
      role="group"
      aria-label={`Rack ${props.elevation.rack}, ${props.elevation.units} units`}
      viewBox={`0 0 ${props.plan.width} ${props.plan.height}`}
      width={props.plan.width}
      height={props.plan.height}
    >
      <defs>
        <pattern id={id} width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path class="hatch" d="M0 0V5" />
        </pattern>
      </defs>
      <rect class="frame" {...at(props.plan.frame)} />
      <For each={props.plan.labels}>
        {(_, i) => (
          <path
            class="line"
            d={`M${props.plan.frame.x} ${props.plan.frame.y + i() * (props.plan.frame.h / props.plan.labels.length)}h${props.plan.frame.w}`}
          />
        )}
      </For>
      <For each={flanks.names()}>
        {(place) => (
          <Show when={flanks.at(place)}>
            {(flank) => (
              <g
                class="flank"
                data-place={place}
                role="button"
                {...handlers(place)}
                aria-pressed={props.focus === place}
                tabindex={props.stop === place ? 0 : -1}
                classList={{ faded: faded(flank().side) }}
                aria-label={saysFlank(flank().side)}
              >
                <Strip flank={flank()} lit={props.lit} focus={props.focus} />
              </g>
            )}
          </Show>
        )}
      </For>
      <For each={boxes.names()}>
        {(place) => (
          <Show when={boxes.at(place)}>
            {(placed) => {
              // seconds that an old value has; a memo, since the clock ticks for all boxes and few of them are old
              const old = createMemo(() => {
                const seconds = ageOf(placed().box.value, props.came, props.now, props.elevation.past);
                return seconds !== null && seconds > OLD ? seconds : null;
              });
              const stale = () => old() !== null;
              return (
                <g
                  class="box"
                  data-place={place}
                  role="button"
                  {...handlers(place)}
                  aria-pressed={props.focus === place}
                  tabindex={props.stop === place ? 0 : -1}
                  classList={{
                    faded: faded(placed().box),
                    stale: stale() || placed().box.silent !== null,
                    loud: mark(placed().box).loud,
                  }}
                  aria-label={saysBox(placed().box, old())}
                >
                  <Face
                    box={placed().box}
                    rect={placed()}
                    row={props.plan.frame.h / props.plan.labels.length}
                    hatch={id}
                    old={old()}
                    faint={stale() || placed().box.silent !== null}
                    past={props.elevation.past}
                  />
                </g>
              );
            }}
          </Show>
        )}
      </For>
      <path class="veil" d={veil()} fill-rule="evenodd" />
      <g class="cords">
        <For each={cords()}>{({ line, off }) => <path d={line} classList={{ off }} />}</For>
      </g>
      <For each={props.plan.labels}>
        {(label) => (
          <text class="number" classList={{ five: label.unit % 5 === 0 }} x={label.x} y={label.y} text-anchor="end">
            {label.unit}
          </text>
        )}
      </For>
      <Show when={over()}>
        {(rect) => (
          <g class="over">
            <rect class="inner" {...at(grown(rect(), 0.5))} />
            <rect class="outer" {...at(grown(rect(), 2))} />
          </g>
        )}
      </Show>
    </svg>
  );
}

/** Names that change only when there are others, and what goes by each now. */
function keyed<T>(all: () => [string, T][]) {
  const map = createMemo(() => new Map(all()));
  const names = createMemo(() => [...map().keys()], [], { equals: (a, b) => a.join() === b.join() });
  return { names, at: (name: string) => map().get(name) };
}

const grown = ({ x, y, w, h }: Rect, by: number) => ({ x: x - by, y: y - by, w: w + 2 * by, h: h + 2 * by });
const at = ({ x, y, w, h }: Rect) => ({ x, y, width: w, height: h });

/** What a screen reader says of a box, whose value may be old. */
export function saysBox(box: Box, old: number | null): string {
  const said = [
    box.place,
    box.machine ?? box.name ?? box.model ?? box.kind,
    mark(box).word,
    box.value?.text ?? box.missing ?? "no reading",
    old !== null ? `${age(old)} old` : null,
  ];
  return said.filter((word) => word !== null).join(", ");
}

const saysFlank = (flank: Flank) =>
  `${flank.place}, ${flank.kind}, ${flank.value?.text ?? flank.missing ?? "no reading"}, ${flank.outlets.filter(({ on }) => on === true).length} of ${flank.outlets.length} outlets on`;

/** The front of a box: shape, name, state, value; its cells below when it is high enough. */
function Face(props: {
  box: Box;
  rect: Rect;
  row: number;
  hatch: string;
  old: number | null;
  faint: boolean;
  past: boolean;
}) {
  const colours = createMemo(() => paint(props.box.value));
  // on a faint fill the page's own ink reads better
  const ink = () => (props.faint ? "currentColor" : (colours()?.ink ?? "currentColor"));
  const first = () => Math.min(props.rect.h, props.row);
  const y = () => props.rect.y + first() / 2 + 0.5;
  const value = () => {
    const text = props.box.value?.text ?? props.box.missing ?? "no reading";
    return props.old === null ? text : `${text} · ${age(props.old)} old`;
  };
  // from the left: shape, name, word; from the right: value, then cells where the box is too low for a grid of them
  const right = () => props.rect.x + props.rect.w - 17 - value().length * LETTER;
  const left = () => props.rect.x + 19;
  const bold = () => (props.box.machine === null ? LETTER : LETTER * 1.12);
  const name = () =>
    cut(
      props.box.machine ?? props.box.name ?? props.box.model ?? props.box.kind,
      ((right() - left()) * LETTER) / bold(),
    );
  const wordAt = () => Math.max(left() + name().length * bold() + 8, left() + props.rect.w * 0.4);
  const word = () => {
    const { word } = mark(props.box);
    return !props.past && word.length * LETTER < right() - wordAt() ? word : "";
  };
  const cells = createMemo(() => {
    const { x, y: top, w, h } = props.rect;
    const rest = { x: x + 4, y: top + first(), w: w - 7, h: h - first() - 3 };
    if (rest.h >= 10) return grid(props.box.cells.length, rest);
    const from = word() === "" ? left() + name().length * bold() + 8 : wordAt() + word().length * LETTER + 8;
    return strip(props.box.cells.length, { x: from, y: top, w: right() - 4 - from, h: first() });
  });
  return (
    <>
      <rect
        class="face"
        {...at(props.rect)}
        fill={colours()?.fill ?? `url(#${props.hatch})`}
        classList={{ absent: !props.box.found, dark: props.box.power === "off" }}
      />
      <Show when={!props.past}>
        <path
          class="mark"
          d={outline(mark(props.box).shape, props.rect.x + 10, y(), 4)}
          fill={ink()}
          fill-rule="evenodd"
        />
      </Show>
      <text class="name" classList={{ held: props.box.machine !== null }} x={left()} y={y()} fill={ink()}>
        {name()}
      </text>
      <Show when={word() !== ""}>
        <text class="word" x={wordAt()} y={y()} fill={ink()}>
          {word()}
        </text>
      </Show>
      <text class="value" x={props.rect.x + props.rect.w - 6} y={y()} text-anchor="end" fill={ink()}>
        {cut(value(), props.rect.w - 24)}
      </text>
      <For each={cells()}>{(rect, i) => <Inner cell={props.box.cells[i()]} rect={rect} hatch={props.hatch} />}</For>
    </>
  );
}

function Inner(props: { cell: Cell | undefined; rect: Rect; hatch: string }) {
  const colours = createMemo(() => paint(props.cell ?? null));
  const text = () => cut(props.cell?.text ?? "", props.rect.w - 4);
  return (
    <>
      <Show when={colours() === null}>
        <rect class="bare" {...at(props.rect)} />
      </Show>
      <rect class="cell" {...at(props.rect)} fill={colours()?.fill ?? `url(#${props.hatch})`} />
      <Show when={props.rect.h >= 12 && props.rect.w >= 20}>
        <text
          class="celltext"
          x={props.rect.x + props.rect.w / 2}
          y={props.rect.y + props.rect.h / 2 + 0.5}
          text-anchor="middle"
          fill={colours()?.ink ?? "currentColor"}
        >
          {text()}
        </text>
      </Show>
      <Show when={props.rect.h >= 30 && props.rect.w >= 30}>
        <text class="cellname" x={props.rect.x + 3} y={props.rect.y + 8} fill={colours()?.ink ?? "currentColor"}>
          {cut(props.cell?.name ?? "", props.rect.w - 4)}
        </text>
      </Show>
    </>
  );
}

function Strip(props: { flank: PlacedFlank; lit: Set<string> | null; focus: string | null }) {
  const name = () => props.flank.side.place.split("/").at(-1) ?? "";
  const bright = ({ outlet: { feeds } }: PlacedOutlet) =>
    feeds !== null && (props.lit?.has(feeds) ?? props.focus === feeds);
  return (
    <>
      <rect class="strip" {...at(props.flank)} />
      <text class="pdu" x={props.flank.x + props.flank.w / 2} y={8} text-anchor="middle">
        {name()}
      </text>
      <For each={props.flank.outlets}>
        {(placed) => (
          <g
            class="outlet"
            classList={{ bright: bright(placed), off: placed.outlet.on === false, unknown: placed.outlet.on === null }}
          >
            <rect {...at(placed)} />
            <Show when={placed.h >= 11}>
              <text x={placed.x + placed.w / 2} y={placed.y + placed.h / 2 + 0.5} text-anchor="middle">
                {tile(placed)}
              </text>
            </Show>
          </g>
        )}
      </For>
      <text
        class="pdu"
        x={props.flank.x + props.flank.w / 2}
        y={props.flank.y + props.flank.h + 11}
        text-anchor="middle"
      >
        {props.flank.side.value?.text ?? "–"}
      </text>
    </>
  );
}

/** What stands in an outlet: the watts that it gives, or that it is off. */
function tile({ outlet: { on, watts: drawn } }: PlacedOutlet): string {
  if (on === false) return "off";
  if (drawn === null) return on === null ? "?" : "on";
  return drawn < 1000 ? `${Math.round(drawn)}` : `${(drawn / 1000).toFixed(2)}k`;
}
