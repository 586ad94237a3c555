// Where the seconds of an install went, live while it goes on: `busbar trace`.

import { createMemo, For, Show } from "solid-js";
import { digits, Head, unseen } from "../parts/Head";
import { Wide } from "../parts/Wide";
import { decimal } from "../view/bytes";
import { lines, moving, seconds, total } from "./timeline";
import type { MachineView } from "./types";

const WIDE = 240;
const HIGH = 10;

export function Timeline(props: { machine: MachineView; now: number }) {
  const all = createMemo(() => lines(props.machine, props.now));
  return (
    <section class="timeline">
      <h2>
        Timeline <span class="soft">{total(all())}</span>
      </h2>
      <Wide label="timeline">
        <table>
          <Head of={["phase", digits("took"), digits("at most"), digits("moved"), unseen("share", "bar")]} />
          <tbody>
            <For each={all()}>
              {(line) => (
                <tr classList={{ open: line.open }}>
                  <th scope="row">{line.name}</th>
                  <td class="value" classList={{ loud: line.late }}>
                    {seconds(line.seconds)}
                  </td>
                  <td class="value soft">{line.budget === null ? "" : seconds(line.budget)}</td>
                  <td class="value">
                    {line.open ? (moving(props.machine) ?? "") : line.bytes === null ? "" : decimal(line.bytes)}
                  </td>
                  <td class="bar">
                    <svg viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" aria-hidden="true">
                      <rect
                        x={line.from * WIDE}
                        width={Math.max(1, line.share * WIDE)}
                        height={HIGH}
                        class={line.late ? "late" : line.open ? "open" : "done"}
                      />
                    </svg>
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </Wide>
      <p class="lede">
        <code>busbar trace {props.machine.name}</code>
        <Show when={props.machine.status.tries > 1}>
          {" "}
          · try {props.machine.status.tries}, by the {props.machine.status.rung.replaceAll("_", " ")} way
        </Show>
      </p>
    </section>
  );
}
