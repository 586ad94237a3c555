// Carrying actions out: a button beside the command and the API call that it is, a question before what destroys, and what came of it.

import { createSignal, createUniqueId, Index, type JSX, Show, untrack } from "solid-js";
import { tell, words } from "../api/client";
import { Dialog } from "../frame/Dialog";
import { type Action, shownCall } from "./action";

export function Acts(props: {
  actions: Action[];
  onDone: () => void;
  /** Controls of what is chosen before an action is done; made once for each. */
  choices?: (action: () => Action) => JSX.Element;
}) {
  // a page may have several of these, with actions of one name
  const group = createUniqueId();
  const [asked, ask] = createSignal<Action | null>(null);
  const [busy, setBusy] = createSignal<string | null>(null);
  const [said, say] = createSignal<{ text: string; failed: boolean } | null>(null);
  async function carry(action: Action) {
    ask(null);
    setBusy(action.id);
    say(null);
    try {
      await tell(action.call.method, action.call.path, action.call.body);
      say({ text: `Accepted: ${action.command}`, failed: false });
    } catch (error) {
      say({ text: words(error), failed: true });
    } finally {
      setBusy(null);
      props.onDone();
    }
  }
  const press = (action: Action) => {
    if (action.disabled !== undefined || busy() !== null) return;
    if (action.dies === undefined) void carry(action);
    else ask(action);
  };
  return (
    <>
      <ul class="acts">
        {/* by position, so that an action that becomes its opposite keeps the focus */}
        <Index each={props.actions}>
          {(action) => (
            <li>
              <button
                type="button"
                class="act"
                classList={{ grave: action().dies !== undefined }}
                aria-disabled={action().disabled !== undefined || busy() !== null}
                aria-describedby={`act-${group}-${action().id}`}
                onClick={() => press(action())}
              >
                {busy() === action().id ? "…" : action().label}
              </button>
              <div id={`act-${group}-${action().id}`}>
                <Show when={action().does}>
                  <p>{action().does}</p>
                </Show>
                {untrack(() => props.choices?.(action))}
                <code>{action().command}</code>
                <Show when={action().disabled} fallback={<code class="call">{shownCall(action().call)}</code>}>
                  <p class="why">{action().disabled}</p>
                </Show>
              </div>
            </li>
          )}
        </Index>
      </ul>
      <p role="status" class="said" classList={{ failed: said()?.failed ?? false }}>
        {said()?.text}
      </p>
      <Show when={asked()}>
        {(action) => (
          <Dialog label={`${action().label}?`} class="confirm" onClose={() => ask(null)}>
            <h2>{action().label}?</h2>
            <p>{action().dies}</p>
            <p>
              <code>{action().command}</code>
              <br />
              <code class="call">{shownCall(action().call)}</code>
            </p>
            <div class="row">
              <button type="button" autofocus onClick={() => ask(null)}>
                Cancel
              </button>
              <button type="button" class="grave" onClick={() => void carry(action())}>
                {action().label}
              </button>
            </div>
          </Dialog>
        )}
      </Show>
    </>
  );
}
