// The last day, minute by minute: what was drawn then, and back to live.

import { createSignal, onCleanup, Show } from "solid-js";
import { clock } from "../view/words";

const MINUTE = 60_000;
/** Minutes that are kept: a day. */
const DAY = 1440;
/** Milliseconds that the slider rests before what it shows is asked for. */
const REST = 120;

export function Scrubber(props: { at: string | null; now: number; onAt: (at: string | null) => void }) {
  const [pulled, pull] = createSignal<number | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(timer));
  const ago = () => pulled() ?? (props.at === null ? 0 : Math.round((Date.parse(props.at) - props.now) / MINUTE));
  const time = (minutes: number) => new Date(Math.floor(props.now / MINUTE) * MINUTE + minutes * MINUTE);
  const shown = () => {
    if (ago() === 0) return "live";
    const at = pulled() === null && props.at !== null ? new Date(props.at) : time(ago());
    const day = at.toDateString() === new Date(props.now).toDateString() ? "" : "yesterday ";
    return `${day}${clock(at).slice(0, 5)}`;
  };
  const input = (minutes: number) => {
    pull(minutes);
    clearTimeout(timer);
    timer = setTimeout(() => {
      props.onAt(minutes === 0 ? null : time(minutes).toISOString());
      pull(null);
    }, REST);
  };
  return (
    <div class="scrubber">
      <label for="scrub">time</label>
      <input
        id="scrub"
        type="range"
        min={-DAY}
        max="0"
        step="1"
        value={Math.max(-DAY, ago())}
        aria-valuetext={shown()}
        onInput={(event) => input(event.currentTarget.valueAsNumber)}
      />
      <output for="scrub">{shown()}</output>
      <Show when={ago() !== 0}>
        <button type="button" onClick={() => props.onAt(null)}>
          Back to live
        </button>
      </Show>
    </div>
  );
}
