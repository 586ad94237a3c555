// The twin of the drawing: the same data as a table. Shown or not, it is there for who listens to the page.

import { createMemo, createSignal, For, Show } from "solid-js";
import type { Box, Flank } from "../api/types";
import type { Kept } from "../api/live";
import { mark } from "../draw/mark";
import { ageOf } from "../draw/paint";
import { type Direction, sorted } from "../view/sort";
import { age, OLD, watts } from "../view/words";

interface Row {
  item: Box | Flank;
  place: string;
  what: string;
  machine: string | null;
  state: string;
  number: number | null;
  value: string;
  age: number | null;
}

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

export function Table(props: TableProps) {
  const [by, setBy] = createSignal<Column>("place");
  const [direction, setDirection] = createSignal<Direction>("ascending");
  const rows = createMemo(() => {
    const all = props.racks.flatMap(({ elevation, came }): Row[] => {
      const row = (item: Box | Flank, state: string, machine: string | null): Row => ({
        item,
        place: item.place,
        what: item.model ?? item.kind,
        machine,
        state,
        number: item.value?.number ?? null,
        value: item.value?.text ?? item.missing ?? "no reading",
        age: ageOf(item.value, came, props.now, elevation.past),
      });
      return [
        ...[...elevation.boxes, ...elevation.feet].map((box) =>
          row(box, elevation.past ? "" : mark(box).word, box.machine ?? box.name),
        ),
        ...elevation.flanks.map((flank) => row(flank, flank.health ?? "", null)),
      ];
    });
    const key = (row: Row) => (by() === "value" ? (row.number ?? (row.item.value ? row.value : null)) : row[by()]);
    return sorted(
      all.filter(({ item }) => props.meant(item)),
      key,
      direction(),
    );
  });
  const outlets = createMemo(() =>
    props.racks.flatMap(({ elevation }) =>
      elevation.flanks.flatMap(({ place, outlets }) => outlets.map((outlet) => ({ place, ...outlet }))),
    ),
  );
  const sort = (column: Column) => {
    setDirection(by() === column && direction() === "ascending" ? "descending" : "ascending");
    setBy(column);
  };
  return (
    <div classList={{ unseen: !props.shown, tables: props.shown }}>
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
          <For each={rows()}>
            {(row) => (
              <tr classList={{ picked: props.focus === row.place, stale: (row.age ?? 0) > OLD }}>
                <th scope="row" class="place">
                  <Show when={props.shown} fallback={row.place}>
                    <button
                      type="button"
                      aria-pressed={props.focus === row.place}
                      onClick={() => props.onPick(row.place)}
                    >
                      {row.place}
                    </button>
                  </Show>
                </th>
                <td class="what">{row.what}</td>
                <td class="machine">{row.machine ?? ""}</td>
                <td class="state">{row.state}</td>
                <td class="value">{row.value}</td>
                <td class="age">{row.age === null ? "" : age(row.age)}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <Show when={outlets().length > 0}>
        <table>
          <caption>Outlets</caption>
          <thead>
            <tr>
              <th scope="col">outlet</th>
              <th scope="col">switched</th>
              <th scope="col">feeds</th>
              <th scope="col" class="value">
                draws
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={outlets()}>
              {(outlet) => (
                <tr>
                  <th scope="row">
                    {outlet.place}/{outlet.outlet}
                  </th>
                  <td>{outlet.on === null ? "not told" : outlet.on ? "on" : "off"}</td>
                  <td>{outlet.feeds ?? ""}</td>
                  <td class="value">{outlet.watts === null ? "no reading" : watts(outlet.watts)}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </Show>
    </div>
  );
}
