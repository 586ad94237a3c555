// The last day, minute by minute: what was drawn then, and back to live. Behind it the watts of the racks over that day.

import { createEffect, createMemo, createResource, createSignal, on, onCleanup, Show } from "solid-js";
import { look } from "../api/client";
import { clock } from "../view/words";
import { type History, line, sum } from "./day";

const MINUTE = 60_000;
/** Minutes that are kept: a day. */
const DAY = 1440;
/** Milliseconds that the slider rests before what it shows is asked for. */
const REST = 120;
/** Size of the line's own field; it is stretched to the slider. */
const FIELD = { w: 720, h: 30 };

export function Scrubber(props: {
  at: string | null;
  now: number;
  racks: string[];
  /** Places of servers. */
  places: ReadonlySet<string>;
  onAt: (at: string | null) => void;
}) {
  const [pulled, pull] = createSignal<number | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(timer));
  const minute = createMemo(() => Math.floor(props.now / MINUTE) * MINUTE);
  const ago = () => pulled() ?? (props.at === null ? 0 : Math.round((Date.parse(props.at) - props.now) / MINUTE));
  const time = (minutes: number) => new Date(minute() + minutes * MINUTE);
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
  const names = createMemo(() => props.racks.join("+"));
  const [day, { refetch }] = createResource(names, async (racks): Promise<History[]> => {
    const path = (rack: string) => `/v1/history/${rack}?reading=watts&from=1d&step=5m`;
    const answers = await Promise.all(racks.split("+").map((rack) => look<History>(path(rack))));
    return answers.flatMap(({ body }) => (body ? [body] : []));
  });
  createEffect(on(minute, () => void refetch(), { defer: true }));
  const path = createMemo(() => {
    // without it the slider still does its work
    const [first, ...more] = day.error ? [] : (day.latest ?? []);
    if (!first) return "";
    const all = { ...first, series: [first, ...more].flatMap(({ series }) => series) };
    const end = minute() + MINUTE;
    return line(sum(all, props.places), all, { ...FIELD, begin: end - DAY * MINUTE, end });
  });
  return (
    <div class="scrubber">
      <label for="scrub">time</label>
      <div class="track">
        <svg viewBox={`0 0 ${FIELD.w} ${FIELD.h}`} preserveAspectRatio="none" aria-hidden="true">
          <path d={path()} />
        </svg>
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
      </div>
      <output for="scrub">{shown()}</output>
      <Show when={ago() !== 0}>
        <button type="button" onClick={() => props.onAt(null)}>
          Back to live
        </button>
      </Show>
    </div>
  );
}
