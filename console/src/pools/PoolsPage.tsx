// What there is of servers and their parts, who holds it, and what doesn't count and why.

import { createMemo, For, Show } from "solid-js";
import { Acts } from "../act/Acts";
import { createWatch } from "../api/watch";
import type { PageProps } from "../pages";
import { amount, count, memory } from "../parts/amount";
import { type Free, freePath, named } from "../parts/free";
import { digits, Head } from "../parts/Head";
import { MachineLink, PlaceLink } from "../parts/Links";
import { made } from "../parts/made";
import { chosenRack, RackChoice } from "../parts/RackChoice";
import { amounts, Share } from "../parts/Share";
import { back } from "./actions";
import { groups, headline, inWords, type PoolNode, reasons, use, uses } from "./pool";
import "../parts/share.css";
import "./pools.css";

/** Resources of servers; power, cooling and space are on Capacity. */
const PARTS = ["cores", "memory", "gpus"];
/** Actions that are listed at most: more are done by a command for a whole rack. */
const ACTIONS = 12;

export function PoolsPage(props: PageProps) {
  const rack = chosenRack;
  const free = createWatch<Free>(props.live, () => freePath(rack()), { key: "resource" });
  const all = createWatch<PoolNode[]>(props.live, () => "/v1/nodes", { key: "place" });
  const nodes = createMemo(() =>
    (all.value() ?? []).filter(({ place }) => rack() === null || place.startsWith(`${rack()}/`)),
  );
  const servers = createMemo(() => uses(nodes()));
  const rows = () => (free.value()?.rows ?? []).filter(({ resource }) => PARTS.includes(resource));
  const held = createMemo(() => nodes().filter((node) => use(node) === "held"));
  const out = createMemo(() => nodes().filter((node) => use(node) === "neither"));
  const role = () => props.live.house.me?.role ?? "reader";
  const actions = createMemo(() => {
    const lost = props.live.house.link.state === "lost";
    return out().flatMap((node) => back(node, role(), lost));
  });
  const notes = () => [...new Set(rows().flatMap((row) => row.notes))];
  return (
    <div class="sheet pools" aria-busy={all.value() === undefined}>
      <div>
        <h1 tabindex={-1}>{all.value() ? headline(nodes()) : "Pools"}</h1>
        <p class="lede">
          {count(servers().held, "server")} held by machines, {servers().neither} neither held nor free.
        </p>
      </div>
      <Show when={all.trouble() ?? free.trouble()}>{(it) => <p class="said failed">{it()}</p>}</Show>
      <RackChoice racks={props.live.house.racks} />
      <section>
        <h2>Parts</h2>
        <div class="tables">
          <table class="amounts">
            <caption class="unseen">Parts of servers</caption>
            <Head of={amounts("physical")} />
            <tbody>
              <tr>
                <th scope="row">servers</th>
                <td class="value">{servers().all}</td>
                <td class="value">{servers().held}</td>
                <td class="value none">not told</td>
                <td class="value">{servers().free}</td>
                <td class="value">{servers().free > 0 ? 1 : 0}</td>
                <td class="bar">
                  <Share total={servers().all} reserved={servers().held} free={servers().free} />
                </td>
              </tr>
              <For each={rows()}>
                {(row) => (
                  <tr>
                    <th scope="row">{named(row.resource)}</th>
                    <td class="value">{amount(row.total, row.unit)}</td>
                    <td class="value">{amount(row.reserved, row.unit)}</td>
                    <td class="value" classList={{ none: row.used === null }}>
                      {row.used === null ? "not told" : amount(row.used, row.unit)}
                    </td>
                    <td class="value">{amount(row.free, row.unit)}</td>
                    <td class="value">{amount(row.largest, row.unit)}</td>
                    <td class="bar">
                      <Share total={row.total ?? 0} reserved={row.reserved ?? 0} free={row.free ?? 0} />
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
        <For each={notes()}>{(note) => <p class="why">{note}</p>}</For>
      </section>
      <section>
        <h2>Made of the same</h2>
        <div class="tables">
          <table>
            <caption class="unseen">Servers by what they are made of</caption>
            <Head
              of={["made of", "model", digits("servers"), digits("held"), digits("neither"), digits("free"), "BIOS"]}
            />
            <tbody>
              <For each={groups(nodes())}>
                {(group) => (
                  <tr>
                    <th scope="row" class="made">
                      {inWords(group.made)}
                    </th>
                    <td>{group.model}</td>
                    <td class="value">{group.uses.all}</td>
                    <td class="value">{group.uses.held}</td>
                    <td class="value">{group.uses.neither}</td>
                    <td class="value">{group.uses.free}</td>
                    <td>
                      {group.firmware.length === 1
                        ? group.firmware[0]?.[0]
                        : group.firmware.map(([version, of]) => `${version} on ${of}`).join(", ")}
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </section>
      <div class="beside">
        <section>
          <h2>Held</h2>
          <Show when={held().length > 0} fallback={<p class="why">No machine holds a server.</p>}>
            <table>
              <caption class="unseen">Who holds what</caption>
              <Head of={["machine", "place", digits("cores"), digits("memory"), digits("GPUs")]} />
              <tbody>
                <For each={held()}>
                  {(node) => (
                    <tr>
                      <th scope="row">
                        <MachineLink name={node.holder ?? ""} />
                      </th>
                      <td>
                        <PlaceLink place={node.place} />
                      </td>
                      <td class="value">{made(node).cores}</td>
                      <td class="value">{memory(made(node).memory)}</td>
                      <td class="value">{made(node).gpus}</td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
          </Show>
        </section>
        <section>
          <h2>Neither held nor free</h2>
          <Show when={out().length > 0} fallback={<p class="why">Every server that nobody holds is free.</p>}>
            <table>
              <caption class="unseen">Servers that do not count, and why</caption>
              <Head of={["place", "why"]} />
              <tbody>
                <For each={out()}>
                  {(node) => (
                    <tr>
                      <th scope="row">
                        <PlaceLink place={node.place} />
                      </th>
                      <td>{reasons(node).join("; ")}</td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
            <Show when={actions().length > 0}>
              <h3>Back into use</h3>
              <Acts actions={actions().slice(0, ACTIONS)} onDone={all.refresh} />
              <Show when={actions().length > ACTIONS}>
                <p class="why">{actions().length - ACTIONS} more: busbar arm RACK, busbar uncordon PLACE</p>
              </Show>
            </Show>
          </Show>
        </section>
      </div>
    </div>
  );
}
