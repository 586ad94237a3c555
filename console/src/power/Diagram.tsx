// The one-line diagram as a drawing: inputs, breakers and loads of the PDUs, their buses, the cords, the boxes. With a forecast, as it would be.

import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { placeHref } from "../view/hrefs";
import { follow } from "../view/router";
import { age, OLD, slot } from "../view/words";
import { bar, carried, type Bus, input, layout, overlay, type Row, through, TOP, type Wire } from "./diagram";
import type { Forecast, Given, OneLine } from "./types";
import { words } from "./words";

const BAR = 12;

export function Diagram(props: { line: OneLine; forecast: Forecast | undefined; now: number }) {
  const [room, setRoom] = createSignal(620);
  // the PDU or box that is pointed at
  const [lit, light] = createSignal<string | null>(null);
  let stage: HTMLElement | undefined;
  onMount(() => {
    if (!stage) return;
    const observer = new ResizeObserver(
      ([entry]) => entry && setRoom(Math.max(280, Math.floor(entry.contentRect.width))),
    );
    observer.observe(stage);
    onCleanup(() => observer.disconnect());
  });
  const at = createMemo(() => layout(props.line, room()));
  const over = createMemo(() => overlay(props.forecast));
  const point = (place: string) => ({
    onPointerEnter: () => light(place),
    onPointerLeave: () => light(null),
    onFocus: () => light(place),
    onBlur: () => light(null),
  });
  const old = (taken: string | null) => taken !== null && (props.now - Date.parse(taken)) / 1000 > OLD;
  const dead = ({ cord }: Wire) => cord.carries === "no" || over().dark.has(cord.pdu);
  return (
    <figure
      class="oneline"
      aria-labelledby="oneline-name"
      ref={(element) => {
        stage = element;
      }}
    >
      <figcaption id="oneline-name">
        {props.forecast ? "As it would be" : "What feeds what"}
        <span>load against rating; the mark is 80 %</span>
      </figcaption>
      <div class="scroll">
        <svg width={at().width} height={at().height} viewBox={`0 0 ${at().width} ${at().height}`}>
          <title>One-line diagram: PDUs, cords and boxes. The tables say the same.</title>
          <For each={at().buses}>
            {(bus) => (
              <Head
                bus={bus}
                dark={over().dark.has(bus.pdu.place) || bus.pdu.carries === "no"}
                stale={old(bus.pdu.taken)}
                lit={lit() === bus.pdu.place}
                load={over().loads.get(bus.pdu.place)}
                point={point(bus.pdu.place)}
              />
            )}
          </For>
          <For each={at().rows}>
            {(row) => (
              <>
                <For each={row.wires}>
                  {(wire) => (
                    <g
                      class="cord"
                      classList={{
                        dead: dead(wire),
                        unknown: wire.cord.carries === "unknown",
                        lit: lit() === wire.cord.pdu || lit() === row.box.place,
                      }}
                    >
                      <line x1={wire.x} x2={at().left} y1={wire.y} y2={wire.y} />
                      <circle cx={wire.x} cy={wire.y} r="2.5" />
                      <Show when={through(wire, row, dead)}>
                        {(text) => (
                          <>
                            <rect
                              class="ground"
                              x={wire.x + 5}
                              y={wire.y - 5}
                              width={text().length * 6 + 3}
                              height="10"
                            />
                            <text x={wire.x + 7} y={wire.y}>
                              {text()}
                            </text>
                          </>
                        )}
                      </Show>
                    </g>
                  )}
                </For>
                <Fed
                  row={row}
                  left={at().left}
                  width={at().width}
                  dies={over().dies.has(row.box.place)}
                  gives={over().gives.get(row.box.place)}
                  stale={old(row.box.taken)}
                  lit={lit() === row.box.place || row.wires.some(({ cord }) => cord.pdu === lit())}
                  point={point(row.box.place)}
                />
              </>
            )}
          </For>
        </svg>
      </div>
    </figure>
  );
}

interface Point {
  onPointerEnter: () => void;
  onPointerLeave: () => void;
  onFocus: () => void;
  onBlur: () => void;
}

function Head(props: {
  bus: Bus;
  dark: boolean;
  stale: boolean;
  lit: boolean;
  load: Parameters<typeof carried>[1];
  point: Point;
}) {
  const pdu = () => props.bus.pdu;
  const shown = () => props.load?.after ?? pdu().watts;
  const length = () => bar(props.dark ? 0 : shown(), pdu().rated, props.bus.width);
  const href = () => placeHref(pdu().place);
  const words = () => carried(pdu(), props.load);
  return (
    <g class="pdu" classList={{ dark: props.dark, lit: props.lit, stale: props.stale }}>
      <a
        href={href()}
        aria-label={`${pdu().place}: ${words()}; ${input(pdu())}`}
        onClick={(event: MouseEvent) => follow(event, href())}
        {...props.point}
      >
        <rect class="ground" x={props.bus.left} y="0" width={props.bus.width + 8} height={TOP} />
        <text class="name" x={props.bus.left} y="10">
          {slot(pdu().place)}
        </text>
        <text class="soft" x={props.bus.left} y="26">
          {input(pdu(), props.bus.width < 110)}
        </text>
        <line class="bus" x1={props.bus.x} x2={props.bus.x} y1="35" y2="41" />
        <rect class="breaker" x={props.bus.x - 4} y="41" width="8" height="8" />
        <line class="bus" x1={props.bus.x} x2={props.bus.x} y1="49" y2="56" />
        <rect class="rating" x={props.bus.left} y="56" width={props.bus.width} height={BAR} />
        <Show when={length()}>
          {(it) => (
            <>
              <rect class="load" x={props.bus.left} y="56" width={it().length} height={BAR} />
              <rect
                class="beyond"
                x={props.bus.left + it().length - it().beyond}
                y="56"
                width={it().beyond}
                height={BAR}
              />
              <line
                class="mark"
                x1={props.bus.left + it().soft}
                x2={props.bus.left + it().soft}
                y1="53"
                y2={56 + BAR + 3}
              />
              <Show when={it().rated < props.bus.width}>
                <line
                  class="mark"
                  x1={props.bus.left + it().rated}
                  x2={props.bus.left + it().rated}
                  y1="50"
                  y2={56 + BAR + 6}
                />
              </Show>
            </>
          )}
        </Show>
        <text class="words" x={props.bus.left} y="82">
          {words()}
        </text>
        <line class="hit" x1={props.bus.x} x2={props.bus.x} y1="91" y2={props.bus.end} />
        <line class="bus" x1={props.bus.x} x2={props.bus.x} y1="91" y2={props.bus.end} />
      </a>
    </g>
  );
}

function Fed(props: {
  row: Row;
  left: number;
  width: number;
  dies: boolean;
  gives: Given | undefined;
  stale: boolean;
  lit: boolean;
  point: Point;
}) {
  const box = () => props.row.box;
  const room = () => props.width - props.left;
  const said = createMemo(() => words(box(), room(), props.dies, props.gives));
  const middle = () => props.row.y + props.row.height / 2;
  const href = () => placeHref(box().place);
  return (
    <g
      class="fed"
      classList={{
        dies: props.dies,
        shed: said().gives !== null,
        would: props.gives !== undefined,
        lit: props.lit,
        stale: props.stale,
      }}
    >
      <a href={href()} aria-label={said().said} onClick={(event: MouseEvent) => follow(event, href())} {...props.point}>
        <rect x={props.left} y={props.row.y + 2} width={room() - 1} height={props.row.height - 4} />
        {/* one arrow down: less; two: nothing */}
        <Show when={said().gives}>
          {(how) => (
            <path
              class="less"
              d={how() === "stopped" ? "m-4-4 4 4 4-4m-8 5 4 4 4-4" : "m-4-2 4 4 4-4"}
              transform={`translate(${props.left + 12} ${middle()})`}
            />
          )}
        </Show>
        <text
          class="name"
          classList={{ held: box().machine !== null }}
          x={props.left + (said().gives === null ? 8 : 20)}
          y={middle()}
        >
          {said().name}
        </text>
        <Show when={said().under !== ""}>
          <text class="soft" x={props.left + 130} y={middle()}>
            {said().under}
          </text>
        </Show>
        <text class="value" x={props.width - 8} y={middle()} text-anchor="end">
          {said().value}
        </text>
      </a>
    </g>
  );
}

/** How long ago a reading was taken, in words. */
export const since = (taken: string | null, now: number) =>
  taken === null ? "" : age((now - Date.parse(taken)) / 1000);
