// Why a machine or a box is as it is, in the words of `busbar why`.

import { For } from "solid-js";
import type { Why } from "../api/types";
import { local } from "../view/words";

export function Reasons(props: { why: Why; now: number }) {
  const said = (text: string) => local(text, new Date(props.now));
  return (
    <section class="reasons">
      <h3>Why</h3>
      <p>{said(props.why.headline)}</p>
      <ul>
        <For each={props.why.because}>{(it) => <li>because {said(it)}</li>}</For>
        <For each={props.why.next}>{(it) => <li>next: {said(it)}</li>}</For>
      </ul>
    </section>
  );
}
