// What a machine is made of: the parts of its box, who they are, and what feeds them.

import { For, Show } from "solid-js";
import { Head } from "../parts/Head";
import { PlaceLink } from "../parts/Links";
import { Wide } from "../parts/Wide";
import { rows } from "./parts";
import type { MachineNode } from "./types";

export const Parts = (props: { node: MachineNode }) => (
  <section>
    <h2>
      Made of <PlaceLink place={props.node.place} />
    </h2>
    <Wide label="parts">
      <table class="made">
        <Head of={["part", "what", "model", "serial", "firmware", "health"]} />
        <tbody>
          <For each={rows(props.node.parts)}>
            {(row) => (
              <tr>
                <th scope="row">{row.ids}</th>
                <td>{row.what}</td>
                <td>{row.model}</td>
                <td>{row.serial}</td>
                <td>{row.firmware}</td>
                <td classList={{ loud: row.health === "critical" || row.health === "warning" }}>{row.health}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </Wide>
    <Show when={(props.node.outlets ?? []).length > 0}>
      <p class="lede">
        Fed by{" "}
        <For each={props.node.outlets ?? []}>
          {({ pdu, outlet }, i) => (
            <>
              {i() > 0 ? ", " : ""}
              <PlaceLink place={pdu}>
                {pdu}/{outlet}
              </PlaceLink>
            </>
          )}
        </For>
      </p>
    </Show>
  </section>
);
