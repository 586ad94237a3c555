// Readings over time: lines with the band between their lowest and highest, a readout under the pointer or the arrow keys, and the same as
// a table. Lines are told apart by dashes and names, not by colour alone.

import { createMemo, createSignal, createUniqueId, For, onCleanup, onMount, Show } from "solid-js";
import { clock, reading } from "../view/words";
import { digits, Head } from "./Head";
import { axis, band, beginning, end, hours, line, under, upToNow, type Values } from "./plot";

export interface Curve {
  name: string;
  values: Values;
  /** Lowest and highest of each step, where they are known. */
  low?: Values;
  high?: Values;
  /** What is read just now, where the page knows it. */
  now?: number | null;
}

const HIGH = 120;
const LEFT = 62;
const FOOT = 18;
const TOP = 8;
const RIGHT = 8;
const DASHES = ["none", "6 3", "2 2", "8 3 2 3"];
/** Height of a letter in pixels: what has no room above a line stands under it. */
const LETTER = 12;
/** Pixels that a label of time takes. */
const LABEL = 64;

export function Plot(props: {
  title: string;
  /** As readings name it: `watts`, `celsius`. */
  unit: string;
  curves: Curve[];
  /** Start of the first step, milliseconds, and length of a step. */
  from: number;
  step: number;
  /** A level that matters: a cap, a breaker. */
  limit?: { value: number; name: string } | null;
}) {
  const id = createUniqueId();
  const [wide, setWide] = createSignal(520);
  const [picked, pick] = createSignal<number | null>(null);
  let figure: HTMLElement | undefined;
  onMount(() => {
    if (!figure) return;
    const observer = new ResizeObserver(([entry]) => entry && setWide(Math.max(200, entry.contentRect.width)));
    observer.observe(figure);
    onCleanup(() => observer.disconnect());
  });
  const field = () => ({ w: wide() - LEFT - RIGHT, h: HIGH });
  const skipped = createMemo(() => beginning(props.curves.map(({ values }) => values)));
  const curves = createMemo(() => {
    const cut = (values: Values) => values.slice(skipped());
    return props.curves.map(
      ({ name, values, low, high, now }): Curve => ({
        name,
        values: upToNow(cut(values), now),
        ...(low && high && { low: cut(low), high: cut(high) }),
      }),
    );
  });
  const from = () => props.from + skipped() * props.step;
  const steps = () => Math.max(0, ...curves().map(({ values }) => values.length));
  const scale = createMemo(() => {
    const all = curves().flatMap(({ values, low, high }) => [values, low ?? [], high ?? []]);
    return axis([...all, props.limit ? [props.limit.value] : []], props.unit !== "celsius");
  });
  const y = (value: number) => TOP + HIGH - ((value - scale().low) / (scale().high - scale().low)) * HIGH;
  const x = (time: number) => LEFT + ((time - from()) / Math.max(1, steps() * props.step)) * field().w;
  const times = () => hours(from(), from() + steps() * props.step, Math.max(2, Math.floor(field().w / LABEL)));
  const minute = (time: number) => clock(new Date(time)).slice(0, props.step < 60_000 ? 8 : 5);
  const amount = (value: number | null) => reading(value, props.unit);
  const label = (tick: number) => {
    if (props.unit !== "watts") return reading(tick, props.unit);
    // one unit for the whole scale
    return Math.max(...scale().ticks) >= 2000 ? `${Number((tick / 1000).toPrecision(3))} kW` : `${tick} W`;
  };
  const last = (values: Values) => values.findLast((value) => value !== null) ?? null;
  const shown = ({ values }: Curve) => {
    const i = picked();
    return amount(i === null ? last(values) : (values[i] ?? null));
  };
  const when = () => {
    const i = picked();
    if (i !== null) return minute(from() + i * props.step);
    return props.curves.some(({ now }) => now != null) ? "now" : "latest";
  };
  const move = (event: KeyboardEvent) => {
    const by: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    const step = by[event.key];
    if (event.key === "Escape") pick(null);
    if (step === undefined) return;
    event.preventDefault();
    pick((i) => Math.min(steps() - 1, Math.max(0, (i ?? steps() - 1) + step)));
  };
  return (
    <figure
      class="plot"
      aria-labelledby={id}
      ref={(element) => {
        figure = element;
      }}
    >
      <figcaption id={id}>{props.title}</figcaption>
      <div
        class="field"
        role="slider"
        tabIndex={0}
        aria-label={`${props.title}: time`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, steps() - 1)}
        aria-valuenow={picked() ?? Math.max(0, steps() - 1)}
        aria-valuetext={`${when()}: ${curves()
          .map((curve) => `${curve.name} ${shown(curve)}`)
          .join(", ")}`}
        onKeyDown={move}
        onPointerMove={(event) => {
          const { left } = event.currentTarget.getBoundingClientRect();
          pick(under(event.clientX - left - LEFT, steps(), field()));
        }}
        onPointerLeave={() => pick(null)}
      >
        <svg height={TOP + HIGH + FOOT} viewBox={`0 0 ${wide()} ${TOP + HIGH + FOOT}`} aria-hidden="true">
          <For each={scale().ticks}>
            {(tick) => (
              <>
                <line class="grid" x1={LEFT} x2={wide() - RIGHT} y1={y(tick)} y2={y(tick)} />
                <text x={LEFT - 6} y={y(tick) + 4} text-anchor="end">
                  {label(tick)}
                </text>
              </>
            )}
          </For>
          <For each={times()}>
            {(time) => (
              <text x={x(time)} y={TOP + HIGH + 14} text-anchor={x(time) > wide() - LABEL / 2 ? "end" : "middle"}>
                {clock(new Date(time)).slice(0, 5)}
              </text>
            )}
          </For>
          <g transform={`translate(${LEFT} ${TOP})`}>
            <For each={curves()}>
              {({ values, low, high }, i) => (
                <>
                  <Show when={low && high}>
                    <path class="band" d={band(low ?? [], high ?? [], scale(), field())} />
                  </Show>
                  <path
                    class="curve"
                    d={line(values, scale(), field())}
                    stroke-dasharray={DASHES[i() % DASHES.length]}
                  />
                  <Show when={end(values, scale(), field())}>
                    {(it) => <circle class="end" cx={it().x} cy={it().y} r="2.5" />}
                  </Show>
                </>
              )}
            </For>
          </g>
          <Show when={props.limit}>
            {(limit) => (
              <>
                <line class="limit" x1={LEFT} x2={wide() - RIGHT} y1={y(limit().value)} y2={y(limit().value)} />
                <text
                  class="limit"
                  x={wide() - RIGHT}
                  y={y(limit().value) + (y(limit().value) < TOP + LETTER ? LETTER : -3)}
                  text-anchor="end"
                >
                  {limit().name} {amount(limit().value)}
                </text>
              </>
            )}
          </Show>
          <Show when={picked() !== null}>
            <line
              class="cursor"
              x1={LEFT + (((picked() ?? 0) + 0.5) / Math.max(1, steps())) * field().w}
              x2={LEFT + (((picked() ?? 0) + 0.5) / Math.max(1, steps())) * field().w}
              y1={TOP}
              y2={TOP + HIGH}
            />
          </Show>
        </svg>
      </div>
      <ul class="curves">
        <For each={curves()}>
          {(curve, i) => (
            <li>
              <svg width="26" height="8" aria-hidden="true">
                <line class="curve" x1="0" x2="26" y1="4" y2="4" stroke-dasharray={DASHES[i() % DASHES.length]} />
              </svg>
              {curve.name} <b>{shown(curve)}</b>
            </li>
          )}
        </For>
        <li class="when">{when()}</li>
      </ul>
      <details>
        <summary>as a table</summary>
        <div class="tables">
          <table>
            <Head of={["time", ...curves().map(({ name }) => digits(name))]} />
            <tbody>
              <For each={Array.from({ length: steps() }, (_, i) => steps() - 1 - i)}>
                {(i) => (
                  <tr>
                    <th scope="row">{minute(from() + i * props.step)}</th>
                    <For each={curves()}>{({ values }) => <td class="value">{amount(values[i] ?? null)}</td>}</For>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
