// Every machine in a row, as `busbar ps` prints them; the order and what is looked for are in the address.

import { createEffect, createMemo, For, Show } from "solid-js";
import type { Live } from "../api/live";
import { createWatch } from "../api/watch";
import { MachineLink, PlaceLink } from "../parts/Links";
import { Wide } from "../parts/Wide";
import { follow, go, param, withParams } from "../view/router";
import { reading, watts } from "../view/words";
import { COLUMNS, type Column, doing, headline, madeOf, order, pressed, shown } from "./rows";
import type { MachineView } from "./types";

export function List(props: { live: Live }) {
  const all = createWatch<MachineView[]>(props.live, () => "/v1/machines");
  createEffect(() => {
    document.title = "Machines · Busbar";
  });
  const typed = () => param("q") ?? "";
  const sort = createMemo(() => order(param("sort")));
  const rows = createMemo(() => shown(all.value() ?? [], typed(), param("sort")));
  const by = (column: Column) => {
    const turned = sort().by === column && sort().direction === "ascending";
    return withParams({ sort: column === "where" && !turned ? null : `${turned ? "-" : ""}${column}` }) as `/${string}`;
  };
  return (
    <div class="sheet machines" aria-busy={all.value() === undefined && all.trouble() === null}>
      <div class="headed">
        <h1 tabindex="-1">{all.value() ? headline(all.value() ?? []) : "Machines"}</h1>
        <input
          class="find"
          type="search"
          aria-label="show only"
          placeholder="show only: web, held   /"
          value={typed()}
          onInput={(event) => go(withParams({ q: event.currentTarget.value || null }), { replace: true })}
          spellcheck={false}
          autocomplete="off"
        />
        <span class="grow" />
        <a class="main" href="/run" onClick={(event) => follow(event, "/run")}>
          run a machine
        </a>
      </div>
      <Show when={all.trouble()}>
        {(trouble) => (
          <p class="trouble" role="alert">
            {trouble()}
          </p>
        )}
      </Show>
      <Show
        when={rows().length > 0}
        fallback={
          <Show when={all.value()}>
            <p class="lede">
              {typed() === "" ? (
                <>
                  Ask for one: <code>busbar run IMAGE</code>, or the button above.
                </>
              ) : (
                "None holds these words."
              )}
            </p>
          </Show>
        }
      >
        <Wide label="machines">
          <table>
            <caption class="unseen">Machines</caption>
            <thead>
              <tr>
                <For each={COLUMNS}>
                  {({ id, label, number }) => (
                    <th
                      scope="col"
                      classList={{ value: number }}
                      aria-sort={sort().by === id ? sort().direction : "none"}
                    >
                      <a href={by(id)} onClick={(event) => follow(event, by(id))}>
                        {label}
                        <span aria-hidden="true">
                          {sort().by === id ? (sort().direction === "ascending" ? " ▴" : " ▾") : ""}
                        </span>
                      </a>
                    </th>
                  )}
                </For>
                <th scope="col">now</th>
              </tr>
            </thead>
            <tbody>
              <For each={rows()}>{(row) => <Row row={row} />}</For>
            </tbody>
          </table>
        </Wide>
      </Show>
      <p class="lede">
        <code>busbar ps</code> <code class="call">GET /v1/machines</code>
      </p>
    </div>
  );
}

function Row(props: { row: MachineView }) {
  const loud = () => props.row.status.state === "held";
  return (
    <tr>
      <th scope="row">
        <MachineLink name={props.row.name} />
      </th>
      <td classList={{ loud: loud() }}>
        {props.row.status.state}
        <Show when={pressed(props.row)}>
          {(word) => (
            <span class="loud">
              {" "}
              <span aria-hidden="true">⌄</span> {word()}
            </span>
          )}
        </Show>
      </td>
      <td class="value">{props.row.ask.nice ?? 0}</td>
      <td>
        <Show when={props.row.status.place} fallback="—">
          {(place) => <PlaceLink place={place()} />}
        </Show>
      </td>
      <td>{props.row.made_of ? madeOf(props.row.made_of) : "—"}</td>
      <td class="value">
        {props.row.watts == null ? "no reading" : watts(props.row.watts)}
        <span class="soft">{props.row.cap == null ? " / no cap" : ` / ${watts(props.row.cap)}`}</span>
      </td>
      <td class="value">{reading(props.row.inlet ?? null, "celsius")}</td>
      <td>{props.row.ask.image.name}</td>
      <td class="now" classList={{ loud: loud() }}>
        {doing(props.row)}
      </td>
    </tr>
  );
}
