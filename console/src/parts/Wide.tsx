// A table that may be wider than the page: it scrolls in itself, and is a stop of the Tab key while it has to (WCAG 2.1.1).

import { createSignal, type JSX, onCleanup, onMount } from "solid-js";

export function Wide(props: { label: string; children: JSX.Element }) {
  const [over, setOver] = createSignal(false);
  let element: HTMLElement | undefined;
  onMount(() => {
    const it = element;
    if (!it) return;
    const observer = new ResizeObserver(() => setOver(it.scrollWidth > it.clientWidth));
    observer.observe(it);
    if (it.firstElementChild) observer.observe(it.firstElementChild);
    onCleanup(() => observer.disconnect());
  });
  return (
    <section
      class="tables"
      aria-label={props.label}
      tabIndex={over() ? 0 : undefined}
      ref={(it) => {
        element = it;
      }}
    >
      {props.children}
    </section>
  );
}
