// A dialog of the browser's own kind: it keeps the focus inside, Escape closes it, and the focus goes back where it was.

import { type JSX, onCleanup, onMount } from "solid-js";

export function Dialog(props: { label: string; class?: string; onClose: () => void; children: JSX.Element }) {
  let dialog: HTMLDialogElement | undefined;
  onMount(() => {
    const before = document.activeElement;
    dialog?.showModal();
    onCleanup(() => {
      if (before instanceof HTMLElement || before instanceof SVGElement) before.focus({ preventScroll: true });
    });
  });
  const outside = (event: MouseEvent) => {
    if (event.target === dialog) props.onClose();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape is the key, and the dialog hears it itself
    <dialog
      ref={(element) => {
        dialog = element;
      }}
      aria-label={props.label}
      class={props.class ?? ""}
      onClose={() => props.onClose()}
      onClick={outside}
    >
      <div class="inside">{props.children}</div>
    </dialog>
  );
}
