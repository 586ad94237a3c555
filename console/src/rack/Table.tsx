// The twin of the drawing: the same data as a table. Shown or not, it is there for who listens to the page.

import { createMemo, createSignal, For, Show } from "solid-js";
import type { Box, Flank } from "../api/types";
import type { Kept } from "../api/live";
import { mark } from "../draw/mark";
import { ageOf } from "../draw/paint";
import { digits, Head } from "../parts/Head";
import { type Direction, sorted } from "../view/sort";
import { age, OLD, watts } from "../view/words";

interface Row {
  kept: Kept;
  item: Box | Flank;
}

const isBox = (item: Box | Flank): item is Box => "unit" in item;
const what = ({ item }: Row) => item.model ?? item.kind;
const machine = ({ item }: Row) => (isBox(item) ? (item.machine ?? item.name) : null);
const state = ({ item, kept }: Row) =>
  isBox(item) ? (kept.elevation.past ? "" : mark(item).word) : (item.health ?? "");
const value = ({ item }: Row) => item.value?.text ?? item.missing ?? "no reading";

const COLUMNS = [
  { id: "place", label: "place" },
  { id: "what", label: "what" },
  { id: "machine", label: "machine" },
  { id: "state", label: "state" },
  { id: "value", label: "value" },
  { id: "age", label: "age" },
] as const;
type Column = (typeof COLUMNS)[number]["id"];

export interface TableProps {
  racks: Kept[];
  by: string;
  now: number;
  /** For eyes too. */
  shown: boolean;
  focus: string | null;
  meant: (item: Box | Flank) => boolean;
  onPick: (place: string) => void;
}

/** Milliseconds between two ticks of the clock while only screen readers see the table. */
const UNSEEN = 10_000;

const said = (seconds: number | null) => (seconds === null ? "" : age(seconds));

export function Table(props: TableProps) {
  const [by, setBy] = createSignal<Column>("place");
  const [direction, setDirection] = createSignal<Direction>("ascending");
  // nobody looks at the hidden one by the second
  const clock = createMemo(() => (props.shown ? props.now : Math.floor(props.now / UNSEEN) * UNSEEN));
  const old = ({ item, kept }: Row) => ageOf(item.value, kept.came, clock(), kept.elevation.past);
  // by place: a new value changes a cell, not the table
  const rows = createMemo(() => {
    const all = props.racks.flatMap((kept) => {
      const { boxes, feet, flanks } = kept.elevation;
      return [...boxes, ...feet, ...flanks].map((item): [string, Row] => [item.place, { kept, item }]);
    });
    return new Map(all);
  });
  const key = (row: Row) => {
    switch (by()) {
      case "place":
        return row.item.place;
      case "what":
        return what(row);
      case "machine":
        return machine(row);
      case "state":
        return state(row);
      case "value":
        return row.item.value === null ? null : (row.item.value.number ?? row.item.value.text);
      case "age":
        return old(row);
    }
  };
  const places = createMemo(
    () => {
      const meant = [...rows().values()].filter(({ item }) => props.meant(item));
      return sorted(meant, key, direction()).map(({ item }) => item.place);
    },
    [],
    { equals: (a, b) => a.join() === b.join() },
  );
  const sort = (column: Column) => {
    setDirection(by() === column && direction() === "ascending" ? "descending" : "ascending");
    setBy(column);
  };
  return (
    <div class="twin" classList={{ unseen: !props.shown, tables: props.shown }}>
      <table>
        <caption>Boxes by {props.by}</caption>
        <thead>
          <tr>
            <For each={COLUMNS}>
              {({ id, label }) => (
                <th scope="col" aria-sort={by() === id ? direction() : "none"} class={id}>
                  <Show when={props.shown} fallback={label}>
                    <button type="button" onClick={() => sort(id)}>
                      {label}
                      <span aria-hidden="true">{by() === id ? (direction() === "ascending" ? " ▴" : " ▾") : ""}</span>
                    </button>
                  </Show>
                </th>
              )}
            </For>
          </tr>
        </thead>
        <tbody>
          <For each={places()}>
            {(place) => (
              <Show when={rows().get(place)}>
                {(row) => (
                  <tr classList={{ picked: props.focus === place, stale: props.shown && (old(row()) ?? 0) > OLD }}>
                    <th scope="row" class="place">
                      <Show when={props.shown} fallback={place}>
                        <button type="button" aria-pressed={props.focus === place} onClick={() => props.onPick(place)}>
                          {place}
                        </button>
                      </Show>
                    </th>
                    <td class="what">{what(row())}</td>
                    <td class="machine">{machine(row()) ?? ""}</td>
                    <td class="state">{state(row())}</td>
                    <td class="value">{value(row())}</td>
                    <td class="age">{said(old(row()))}</td>
                  </tr>
                )}
              </Show>
            )}
          </For>
        </tbody>
      </table>
      <Show when={props.racks.some(({ elevation }) => elevation.flanks.length > 0)}>
        <table>
          <caption>Outlets</caption>
          <Head of={["outlet", "switched", "feeds", digits("draws")]} />
          <tbody>
            <For each={props.racks.flatMap(({ elevation }) => elevation.flanks)}>
              {(flank) => (
                <For each={flank.outlets}>
                  {(outlet) => (
                    <tr>
                      <th scope="row">
                        {flank.place}/{outlet.outlet}
                      </th>
                      <td>{outlet.on === null ? "not told" : outlet.on ? "on" : "off"}</td>
                      <td>{outlet.feeds ?? ""}</td>
                      <td class="value">{outlet.watts === null ? "no reading" : watts(outlet.watts)}</td>
                    </tr>
                  )}
                </For>
              )}
            </For>
          </tbody>
        </table>
      </Show>
    </div>
  );
}
