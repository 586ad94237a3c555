// Its place in the order in which machines give up watts, and a field that changes it.

import { createSignal } from "solid-js";
import { Acts } from "../act/Acts";
import type { Role } from "../api/types";
import { niceAction } from "./nice";
import type { MachineView } from "./types";

export function Nice(props: { machine: MachineView; role: Role; barred: string | null; onDone: () => void }) {
  const now = () => props.machine.ask.nice ?? 0;
  // what is so, until somebody types
  const [typed, type] = createSignal<string | null>(null);
  const said = () => typed() ?? `${now()}`;
  const of = () => ({ name: props.machine.name, nice: now(), state: props.machine.status.state });
  return (
    <section class="nice">
      <h2>When power is short</h2>
      <p class="lede">
        Machines of nice 19 give up watts first, before a PDU trips, those of −20 last. Its nice is {now()}.
      </p>
      <div class="fields">
        <label>
          <span>nice</span>
          <input
            type="number"
            min="-20"
            max="19"
            value={said()}
            onInput={(event) => type(event.currentTarget.value)}
            autocomplete="off"
          />
        </label>
      </div>
      <Acts
        actions={[niceAction(of(), said(), props.role, props.barred)]}
        onDone={() => {
          type(null);
          props.onDone();
        }}
      />
    </section>
  );
}
