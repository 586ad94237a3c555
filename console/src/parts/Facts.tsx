// What is known of a thing, a name and a value in each row; what is not known has no row.

import { For, type JSX } from "solid-js";

export const Facts = (props: { rows: [string, JSX.Element][] }) => (
  <dl class="facts">
    <For each={props.rows.filter(([, value]) => value)}>
      {([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      )}
    </For>
  </dl>
);
