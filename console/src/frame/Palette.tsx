// Go anywhere by typing. A combobox over a listbox (WAI-ARIA APG): the focus stays in the text.

import { createMemo, createSignal, For } from "solid-js";
import { type Choice, choices, meant } from "./choices";
import { Dialog } from "./Dialog";

/** Most that are shown. */
const MOST = 12;

export function Palette(props: {
  of: Parameters<typeof choices>;
  onClose: () => void;
  onChoose: (choice: Choice) => void;
}) {
  const [typed, type] = createSignal("");
  const [at, move] = createSignal(0);
  const all = createMemo(() => choices(...props.of));
  const found = createMemo(() => meant(all(), typed(), MOST));
  const choose = (choice: Choice | undefined) => {
    if (choice) props.onChoose(choice);
  };
  const key = (event: KeyboardEvent) => {
    const count = found().length;
    if (event.key === "Enter") {
      event.preventDefault();
      choose(found()[at()]);
    } else if (count > 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      move((i) => (i + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
    }
  };
  return (
    <Dialog label="Go to" class="palette" onClose={props.onClose}>
      <input
        autofocus
        role="combobox"
        aria-label="go to"
        aria-expanded="true"
        aria-controls="choices"
        aria-activedescendant={found().length > 0 ? `choice-${at()}` : undefined}
        aria-autocomplete="list"
        placeholder="a place, a machine, a rack, a colour"
        value={typed()}
        onInput={(event) => {
          type(event.currentTarget.value);
          move(0);
        }}
        onKeyDown={key}
        spellcheck={false}
        autocomplete="off"
      />
      <div role="listbox" id="choices" aria-label="choices" tabIndex={-1}>
        <For each={found()} fallback={<p class="none">Nothing is called so.</p>}>
          {(choice, i) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox hears the keys
            <div
              role="option"
              id={`choice-${i()}`}
              tabIndex={-1}
              aria-selected={at() === i()}
              onClick={() => choose(choice)}
              onPointerMove={() => move(i())}
            >
              <span>{choice.label}</span>
              <span class="kind">{choice.kind}</span>
            </div>
          )}
        </For>
      </div>
    </Dialog>
  );
}
