// The head of a table whose columns are always the same.

import { For, type JSX, Show } from "solid-js";

export interface Column {
  name: JSX.Element;
  /** Classes of the cell. */
  as?: string;
  /** Named only for who listens. */
  unseen?: boolean;
}

/** A column of numbers, which stand at its right edge. */
export const digits = (name: string, as = ""): Column => ({ name, as: as === "" ? "value" : `value ${as}` });

/** A column that explains itself to the eye: bars, buttons. */
export const unseen = (name: string, as?: string): Column => ({ name, unseen: true, ...(as !== undefined && { as }) });

export function Head(props: { of: (string | Column)[]; unseen?: boolean }) {
  const columns = () => props.of.map((it): Column => (typeof it === "string" ? { name: it } : it));
  return (
    <thead classList={{ unseen: props.unseen ?? false }}>
      <tr>
        <For each={columns()}>
          {({ name, as, unseen }) => (
            <th scope="col" class={as}>
              <Show when={unseen} fallback={name}>
                <span class="unseen">{name}</span>
              </Show>
            </th>
          )}
        </For>
      </tr>
    </thead>
  );
}
