// The keys, and the words that a highlight takes.

import { For } from "solid-js";
import { FIELD_NAMES } from "../view/highlight";
import { Dialog } from "./Dialog";

const KEYS: [string, string][] = [
  ["arrows", "go from box to box, to the PDUs and to the next rack"],
  ["Home, End", "the top, the bottom"],
  ["Enter", "into the panel of the focused box"],
  ["Esc", "out of the panel; let go of the box; close a dialog"],
  ["/", "highlight; on other pages, show only"],
  ["t", "drawing or table"],
  ["r", "run a machine"],
  ["b", "the next way to colour"],
  ["l", "back to live"],
  ["Ctrl-]", "out of a serial console"],
  ["Ctrl-K, ⌘K", "go to a place, a machine, a rack, a colour"],
  ["?", "this"],
];

export const Help = (props: { onClose: () => void }) => (
  <Dialog label="Keys" class="help" onClose={props.onClose}>
    <h2>Keys</h2>
    <dl class="facts">
      <For each={KEYS}>
        {([key, what]) => (
          <>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </>
        )}
      </For>
    </dl>
    <p>
      A highlight is any words, with commas between those that are alternatives; before a colon may stand{" "}
      {FIELD_NAMES.join(", ")}: <code>state:running, health:critical</code>. The address holds the whole view: copy it
      to show it to somebody.
    </p>
    <div class="row">
      <button type="button" autofocus onClick={() => props.onClose()}>
        Close
      </button>
    </div>
  </Dialog>
);
