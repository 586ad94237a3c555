// `busbar free` over time: total, reserved, used, free and the largest piece of everything.

import { createMemo, For, Show } from "solid-js";
import { createWatch } from "../api/watch";
import type { PageProps } from "../pages";
import { amount } from "../parts/amount";
import { type Free, freePath, named } from "../parts/free";
import { Head } from "../parts/Head";
import type { Curve } from "../parts/Plot";
import { Plot } from "../parts/Plot";
import { chosenRack, RackChoice } from "../parts/RackChoice";
import { amounts, Share } from "../parts/Share";
import { Span, span } from "../parts/Span";
import { limits, missing } from "./capacity";
import "../parts/share.css";
import "./capacity.css";

interface Trend {
  from: string;
  step_seconds: number;
  watts: (number | null)[];
  hottest: (number | null)[];
}

/** Milliseconds between two looks at what changes slowly. */
const SELDOM = 15_000;

export function CapacityPage(props: PageProps) {
  const rack = chosenRack;
  const free = createWatch<Free>(props.live, () => freePath(rack()), { key: "resource" });
  // the trend is of everything: of one rack alone it would say too much
  const trend = createWatch<Trend>(props.live, () => (rack() ? null : `/v1/history?from=${span()}`), { every: SELDOM });
  const rows = () => free.value()?.rows ?? [];
  const power = () => rows().find(({ resource }) => resource === "power");
  const notes = createMemo(() => {
    const by = new Map<string, string[]>();
    for (const { resource, notes: all } of rows())
      for (const note of all) by.set(note, [...(by.get(note) ?? []), named(resource)]);
    return [...by].map(([note, of]) => ({ note, of: of.join(", ") }));
  });
  const known = (values: (number | null)[], name: string): Curve[] =>
    values.some((value) => value !== null) ? [{ name, values }] : [];
  return (
    <div class="sheet capacity" aria-busy={free.value() === undefined}>
      <div>
        <h1 tabindex={-1}>{free.value() ? limits(rows()) : "Capacity"}</h1>
        <p class="lede">{free.value() ? missing(rows()) : ""}</p>
      </div>
      <Show when={free.trouble() ?? trend.trouble()}>{(it) => <p class="said failed">{it()}</p>}</Show>
      <RackChoice racks={props.live.house.racks} />
      <section>
        <h2>
          Now <code class="call">busbar free</code>
        </h2>
        <div class="tables">
          <table class="amounts">
            <caption class="unseen">Resources</caption>
            <Head of={amounts("total")} />
            <tbody>
              <For each={rows()}>
                {(row) => (
                  <tr>
                    <th scope="row">{named(row.resource)}</th>
                    <For each={[row.total, row.reserved, row.used, row.free, row.largest]}>
                      {(value) => (
                        <td class="value" classList={{ none: value === null }}>
                          {amount(value, row.unit)}
                        </td>
                      )}
                    </For>
                    <td class="bar">
                      <Show when={row.total !== null && row.reserved !== null && row.free !== null}>
                        <Share total={row.total ?? 0} reserved={row.reserved ?? 0} free={row.free ?? 0} />
                      </Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </section>
      <section>
        <h2>What the numbers leave open</h2>
        <ul class="notes">
          <For each={notes()}>
            {({ note, of }) => (
              <li>
                <span class="of">{of}</span> {note}
              </li>
            )}
          </For>
        </ul>
      </section>
      <Show when={trend.value()}>
        {(it) => (
          <section>
            <h2>
              Over time <Span />
            </h2>
            <div class="beside">
              <Show when={known(it().watts, "used").length > 0}>
                <Plot
                  title="Power of the servers that tell theirs"
                  unit="watts"
                  curves={known(it().watts, "used")}
                  from={Date.parse(it().from)}
                  step={it().step_seconds * 1000}
                  limit={power()?.total ? { value: power()?.total ?? 0, name: "total" } : null}
                />
              </Show>
              <Show when={known(it().hottest, "hottest").length > 0}>
                <Plot
                  title="Hottest part of any box"
                  unit="celsius"
                  curves={known(it().hottest, "hottest")}
                  from={Date.parse(it().from)}
                  step={it().step_seconds * 1000}
                />
              </Show>
            </div>
            <p class="why">Cores, memory and GPUs have no history: what was free an hour ago is not recorded.</p>
          </section>
        )}
      </Show>
    </div>
  );
}
