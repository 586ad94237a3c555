// Machines: all of them as `busbar ps` has them, or one with everything about it.

import { createMemo, Show } from "solid-js";
import type { PageProps } from "../pages";
import { path } from "../view/router";
import { List } from "./List";
import { Machine } from "./Machine";
import "./machines.css";

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

export function MachinesPage(props: PageProps) {
  const name = createMemo(() => path().split("/").filter(Boolean)[1] ?? null);
  const known = () => {
    const it = name();
    return it !== null && NAME.test(it) ? it : null;
  };
  return (
    <Show when={name()} fallback={<List live={props.live} />}>
      <Show
        when={known()}
        keyed
        fallback={
          <div class="sheet">
            <h1 tabindex="-1">No machine is called so</h1>
            <p class="lede">Names are lower case letters, digits and hyphens.</p>
          </div>
        }
      >
        {(it) => <Machine live={props.live} name={it} />}
      </Show>
    </Show>
  );
}
