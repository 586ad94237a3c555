// The Power page: what carries a rack's power, what each PDU carried before, and what would come of losing one.

import { createEffect, createMemo, For, Show } from "solid-js";
import { createWatch } from "../api/watch";
import type { PageProps } from "../pages";
import { curveOf, type History, steps } from "../parts/history";
import { Plot } from "../parts/Plot";
import { Span } from "../parts/Span";
import { spanOf } from "../parts/spans";
import { follow, param, path } from "../view/router";
import { slot } from "../view/words";
import { Diagram } from "./Diagram";
import { asked, question } from "./diagram";
import { Foretold } from "./Foretold";
import { Now, Turns } from "./Pressure";
import { Boxes, Caps, Pdus } from "./Tables";
import type { Forecast, OneLine } from "./types";
import "./power.css";

/** Milliseconds between two looks at the history. */
const SLOWLY = 20_000;
const SPANS = ["1h", "24h"] as const;
const STEPS = { "1h": "30s", "24h": "15m" } as const;
const WORDS = { "1h": "1 h", "24h": "24 h" };

export function PowerPage(props: PageProps) {
  const house = () => props.live.house;
  const rack = () => path().split("/")[2] || (house().racks[0]?.name ?? null);
  const fails = createMemo(() => asked(param("fail")));
  const span = () => spanOf(SPANS, param("span"));
  const line = createWatch<OneLine>(props.live, () => (rack() === null ? null : `/v1/racks/${rack()}/power`), {
    key: "place",
  });
  const forecast = createWatch<Forecast>(props.live, () => (fails().length === 0 ? null : question(fails()).path), {
    key: "place",
  });
  const history = createWatch<History>(
    props.live,
    () => (rack() === null ? null : `/v1/history/${rack()}?reading=watts&from=${span()}&step=${STEPS[span()]}`),
    { every: SLOWLY, key: "place" },
  );
  createEffect(() => {
    document.title = `Power ${rack() ?? ""} · Busbar`;
  });
  const curves = () => {
    const pdus = line.value()?.pdus ?? [];
    const all = history.value()?.series ?? [];
    return pdus.flatMap(({ place, watts }) => {
      const found = all.find((series) => series.place === place);
      return found ? [curveOf(found, slot(place), watts)] : [];
    });
  };
  // a limit far above all curves would press them flat
  const limit = () => {
    const soft = Math.min(...(line.value()?.pdus ?? []).map(({ soft }) => soft ?? Number.POSITIVE_INFINITY));
    const most = Math.max(0, ...curves().flatMap(({ high, now }) => [...(high ?? []), now].map((value) => value ?? 0)));
    return Number.isFinite(soft) && most > soft / 2 ? { value: soft, name: "80 %" } : null;
  };
  return (
    <div class="sheet power">
      <header>
        <h1 tabindex={-1}>Power of {rack() ?? "the rack"}</h1>
        <p class="lede">{line.value()?.headline ?? line.trouble() ?? "…"}</p>
        <Show when={house().racks.length > 1}>
          <nav class="others" aria-label="racks">
            <For each={house().racks}>
              {({ name }) => (
                <a
                  href={`/power/${name}`}
                  aria-current={name === rack() ? "true" : undefined}
                  onClick={(event) => follow(event, `/power/${name}`)}
                >
                  {name}
                </a>
              )}
            </For>
          </nav>
        </Show>
      </header>
      <Show when={line.value()} fallback={<div aria-busy={line.trouble() === null} />}>
        {(known) => (
          <>
            <Now line={known()} now={props.live.now()} />
            <div class="pair">
              <div class="drawn">
                <Show when={known().boxes.some(({ cords }) => cords.length > 0) || known().pdus.length > 0}>
                  <Diagram line={known()} forecast={forecast.value()} now={props.live.now()} />
                </Show>
                <Boxes line={known()} now={props.live.now()} />
                <ul class="notes">
                  <For each={known().notes}>{(note) => <li>Not known: {note}.</li>}</For>
                </ul>
              </div>
              <div class="told">
                <Show when={known().pdus.length > 0}>
                  <Pdus line={known()} fails={fails()} now={props.live.now()} />
                </Show>
                <Show when={fails().length > 0 && forecast.trouble()}>
                  <p class="trouble" role="status">
                    {forecast.trouble()}
                  </p>
                </Show>
                <Show when={fails().length > 0 && forecast.value()}>
                  {(it) => <Foretold forecast={it()} emulated={house().me?.emulator ?? false} />}
                </Show>
                <Show when={curves().length > 0 && history.value()}>
                  {(past) => (
                    <section class="past-watts">
                      <Span of={SPANS} words={WORDS} label="span of the plot" />
                      <Plot
                        title="Watts of each PDU"
                        unit="watts"
                        curves={curves()}
                        limit={limit()}
                        {...steps(past())}
                      />
                    </section>
                  )}
                </Show>
                <Turns line={known()} now={props.live.now()} />
                <Caps line={known()} />
              </div>
            </div>
          </>
        )}
      </Show>
    </div>
  );
}
