// Every box by how warm it stands.

import { createMemo, For, Show } from "solid-js";
import { MachineLink, PlaceLink } from "../parts/Links";
import { follow, param, withParams } from "../view/router";
import { sorted } from "../view/sort";
import { age, OLD, reading, watts } from "../view/words";
import { ill, type Vital } from "./cool";

const degrees = (value: number | null) => reading(value, "celsius");

const COLUMNS = [
  { id: "inlet", label: "inlet", said: degrees, of: (box: Vital) => box.inlet },
  {
    id: "above",
    label: "above inlet",
    said: (value: number | null) => (value === null ? "not known" : `${value.toFixed(0)} K`),
    of: (box: Vital) => (box.inlet === null || box.hottest === null ? null : box.hottest - box.inlet),
  },
  {
    id: "fan",
    label: "fastest fan or pump",
    said: (value: number | null) => reading(value, "rpm"),
    of: (box: Vital) => box.fan,
  },
  {
    id: "watts",
    label: "heat",
    said: (value: number | null) => (value === null ? "no reading" : watts(value)),
    of: (box: Vital) => box.watts,
  },
  { id: "hottest", label: "hottest part", said: degrees, of: (box: Vital) => box.hottest },
] as const;
const HOTTEST = COLUMNS[4];

/** Boxes that are shown at first. */
const FIRST = 20;

export function Boxes(props: { boxes: Vital[]; now: number }) {
  const column = () => COLUMNS.find(({ id }) => id === param("sort")) ?? HOTTEST;
  const rows = createMemo(() => {
    const warm = props.boxes.filter(({ inlet, hottest, fan }) => inlet !== null || hottest !== null || fan !== null);
    return sorted(warm, column().of, "descending");
  });
  const shown = () => (param("all") === null ? rows().slice(0, FIRST) : rows());
  const old = ({ taken }: Vital) => (taken === null ? null : (props.now - Date.parse(taken)) / 1000);
  const to = (id: string) => withParams({ sort: id === "hottest" ? null : id });
  const all = () => withParams({ all: "" });
  return (
    <>
      <div class="tables">
        <table>
          <caption class="unseen">Boxes by {column().label}</caption>
          <thead>
            <tr>
              <th scope="col">box</th>
              <th scope="col">machine</th>
              <For each={COLUMNS}>
                {({ id, label }) => (
                  <th scope="col" class="value" aria-sort={column().id === id ? "descending" : "none"}>
                    <a href={to(id)} onClick={(event) => follow(event, to(id))}>
                      {label}
                      <span aria-hidden="true">{column().id === id ? " ▾" : ""}</span>
                    </a>
                  </th>
                )}
              </For>
              <th scope="col">which</th>
              <th scope="col" class="age">
                age
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={shown()}>
              {(box) => (
                <tr classList={{ stale: (old(box) ?? 0) > OLD }}>
                  <th scope="row">
                    <PlaceLink place={box.place} />
                    <Show when={ill(box.health)}>{(it) => <span class="wrong"> {it()}</span>}</Show>
                  </th>
                  <td>
                    <Show when={box.holder}>{(name) => <MachineLink name={name()} />}</Show>
                  </td>
                  <For each={COLUMNS}>
                    {({ of, said }) => (
                      <td class="value" classList={{ none: of(box) === null }}>
                        {said(of(box))}
                      </td>
                    )}
                  </For>
                  <td>{box.hottest_name ?? ""}</td>
                  <td class="age">{box.silent ? "silent" : old(box) === null ? "" : age(old(box) ?? 0)}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={rows().length > shown().length}>
        <p>
          <a class="to" href={all()} onClick={(event) => follow(event, all())}>
            all {rows().length} boxes
          </a>
        </p>
      </Show>
      <p class="why">
        Warmest first. What a sensor may reach at most is not told by the API, so no headroom is claimed; what has
        neither a temperature nor a fan is left out.
      </p>
    </>
  );
}
