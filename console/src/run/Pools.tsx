// What a run draws from.

import { For, Show } from "solid-js";
import { digits, Head } from "../parts/Head";
import { PlaceLink } from "../parts/Links";
import { Wide } from "../parts/Wide";
import { binary, decimal } from "../view/bytes";
import { follow, withParams } from "../view/router";
import { type Pool, wishFor } from "./pools";
import { params } from "./wish";

/** Places of one pool that are named. */
const NAMED = 8;

export function Pools(props: { all: Pool[]; known: boolean }) {
  const made = (pool: Pool) => `${pool.cores}c ${binary(pool.memory)}${pool.gpus > 0 ? ` + ${pool.gpus} gpu` : ""}`;
  const to = (pool: Pool) => withParams(params(wishFor(pool))) as `/${string}`;
  return (
    <section class="pools" aria-busy={!props.known}>
      <h2>Drawn from</h2>
      <Wide label="pools">
        <table>
          <Head of={["made of", digits("largest disk"), digits("free"), digits("of"), "where"]} />
          <tbody>
            <For each={props.all}>
              {(pool) => (
                <tr>
                  <th scope="row">
                    <a
                      class="to"
                      href={to(pool)}
                      onClick={(event) => follow(event, to(pool))}
                      title="ask for one of these"
                    >
                      {made(pool)}
                    </a>
                    <Show when={pool.largest}>
                      <span class="soft"> largest piece</span>
                    </Show>
                  </th>
                  <td class="value">{pool.disk === null ? "not told" : decimal(pool.disk)}</td>
                  <td class="value">{pool.free.length}</td>
                  <td class="value">{pool.total}</td>
                  <td class="where">
                    <For each={pool.free.slice(0, NAMED)}>
                      {(place) => (
                        <>
                          <PlaceLink place={place} />{" "}
                        </>
                      )}
                    </For>
                    {pool.free.length > NAMED ? `and ${pool.free.length - NAMED} more` : ""}
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </Wide>
    </section>
  );
}
