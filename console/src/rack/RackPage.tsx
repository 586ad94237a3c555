// The Rack page: racks side by side, live or of a moment of the last day; what is focused beside it; the same as a table.

import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { LOST, PAST } from "../act/action";
import type { Kept, Live } from "../api/live";
import type { Box, Flank } from "../api/types";
import { Drawing } from "../draw/Drawing";
import { next, plan, unitFor, widthFor } from "../draw/layout";
import { lit } from "../draw/lit";
import { BYS, type By } from "../view/view";
import { isMeant } from "../view/highlight";
import { start } from "../run/start";
import { follow, go, view } from "../view/router";
import { local, reading, watts } from "../view/words";
import { Legend } from "./Legend";
import { Panel } from "./Panel";
import { Scrubber } from "./Scrubber";
import { Table } from "./Table";

export interface RackPageProps {
  live: Live;
}

/** What is lit in a rack while a place of another is pointed at; always the same, so that such a rack has nothing to do. */
const NOTHING = new Set<string>();
/** Pixels between two racks. */
const APART = 20;
/** Pixels that the panel takes beside the racks at least, and the width of a window from which it stands there (style/narrow.css). */
const PANEL = 400;
const WIDE = 1000;
/** Around the racks: the page's margin, and room for the outline of what is focused. */
const MARGIN = 40;
/** Under the head: the caption of a rack above its drawing, the scrubber below it. */
const CAPTIONS = 78;

export function RackPage(props: RackPageProps) {
  const house = () => props.live.house;
  const now = () => props.live.now();
  const racks = createMemo((): Kept[] => {
    const { racks } = view();
    const names = racks.length > 0 ? racks : house().racks.map(({ name }) => name);
    return names.map((name) => house().kept[name]).filter((kept) => kept !== undefined);
  });
  const [room, setRoom] = createSignal({ width: 640, height: 700 });
  const [hovered, setHovered] = createSignal<string | null>(null);
  // from one box to the next it is left and entered in one frame: lit once, not put out between
  let pointed: string | null = null;
  let due = 0;
  const hover = (place: string | null) => {
    pointed = place;
    if (due === 0)
      due = requestAnimationFrame(() => {
        due = 0;
        setHovered(pointed);
      });
  };
  onCleanup(() => cancelAnimationFrame(due));
  const [keyed, key] = createSignal<string | null>(null);
  let stage: HTMLDivElement | undefined;
  let body: HTMLDivElement | undefined;
  onMount(() => {
    const measure = () => {
      if (!body) return;
      const { clientWidth } = body;
      const top = body.getBoundingClientRect().top + scrollY;
      setRoom({
        width: clientWidth - MARGIN - (innerWidth >= WIDE ? PANEL : 0),
        height: innerHeight - top - CAPTIONS,
      });
    };
    const observer = new ResizeObserver(measure);
    if (body) observer.observe(body);
    addEventListener("resize", measure);
    onCleanup(() => {
      observer.disconnect();
      removeEventListener("resize", measure);
    });
  });
  const size = createMemo(() => {
    const count = racks().length;
    const units = Math.max(1, ...racks().map(({ elevation }) => elevation.units));
    const feet = Math.max(0, ...racks().map(({ elevation }) => elevation.feet.length));
    return {
      width: widthFor(room().width - APART * Math.max(0, count - 1), count),
      unit: unitFor(room().height - feet * 20, units),
    };
  });
  const sided = () =>
    racks().some(({ elevation }) => elevation.boxes.some(({ half_depth, face }) => half_depth || face === "rear"));
  const plans = createMemo(() =>
    racks().map(({ elevation }) => plan(elevation, { ...size(), rear: sided() && view().rear })),
  );
  const bright = createMemo(() => {
    const place = hovered() ?? keyed();
    if (place === null) return null;
    const kept = racks().find(({ elevation }) => place.startsWith(`${elevation.rack}/`));
    return kept ? { rack: kept.elevation.rack, places: lit(kept.elevation, place) } : null;
  });
  const stop = createMemo(() => {
    const all = plans().flatMap(({ boxes, feet, flanks }) => [
      ...boxes.map(({ box }) => box.place),
      ...feet.map(({ box }) => box.place),
      ...flanks.map(({ side }) => side.place),
    ]);
    const focus = view().focus;
    return focus !== null && all.includes(focus) ? focus : (all[0] ?? null);
  });
  const meant = (item: Box | Flank) => isMeant(view().hl, item);
  const focusOn = (place: string | null) => go({ focus: place }, { replace: true });
  const arrow = (event: KeyboardEvent) => {
    const from = view().focus ?? stop();
    if (from === null || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") {
      key(null);
      focusOn(null);
      return;
    }
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      document.querySelector<HTMLElement>(".panel")?.focus();
      return;
    }
    const to = next(plans(), from, event.key);
    if (to === null) return;
    event.preventDefault();
    stage?.querySelector<SVGGElement>(`[data-place="${CSS.escape(to)}"]`)?.focus();
  };
  const running = () => start(house().kept, view().focus);
  const servers = createMemo(
    () =>
      new Set(
        racks().flatMap(({ elevation }) =>
          elevation.boxes.filter(({ kind, found }) => kind === "server" && found).map(({ place }) => place),
        ),
      ),
  );
  const lost = () => {
    const { link } = house();
    return link.state === "lost" ? link.since : null;
  };
  createEffect(() => {
    const names = view().racks;
    document.title = `${names.length > 0 ? names.join(" ") : "Racks"} · Busbar`;
  });
  return (
    <div class="page">
      <h1 class="unseen">{view().racks.length > 0 ? `Rack ${view().racks.join(" and ")}` : "All racks"}</h1>
      <p class="printed">
        {racks()
          .map(({ elevation }) => elevation.rack)
          .join(", ")}{" "}
        as of {local(racks()[0]?.elevation.at ?? "", new Date(0))}, by {BYS.find(({ id }) => id === view().by)?.label}
      </p>
      <div class="tools">
        <label>
          <span>by</span>
          <select
            class="by"
            aria-label="colour by"
            value={view().by}
            onChange={(event) => go({ by: event.currentTarget.value as By })}
          >
            <For each={BYS}>{({ id, label }) => <option value={id}>{label}</option>}</For>
          </select>
        </label>
        <Show when={racks()[0]}>
          {(kept) => <Legend legend={kept().elevation.legend} unit={kept().elevation.unit} />}
        </Show>
        <input
          class="find"
          type="search"
          aria-label="highlight"
          placeholder="highlight: web, state:running   /"
          value={view().hl}
          onInput={(event) => go({ hl: event.currentTarget.value }, { replace: true })}
          spellcheck={false}
          autocomplete="off"
        />
        <span class="grow" />
        <Show when={sided()}>
          <button type="button" aria-pressed={view().rear} onClick={() => go({ rear: !view().rear })}>
            {view().rear ? "rear" : "front"}
          </button>
        </Show>
        <button type="button" aria-pressed={view().table} onClick={() => go({ table: !view().table })} title="t">
          table
        </button>
        <Show when={house().me}>
          <a class="main" href={running()} onClick={(event) => follow(event, running())} title="r">
            run a machine
          </a>
        </Show>
      </div>
      <div
        class="body"
        ref={(element) => {
          body = element;
        }}
      >
        <div class="left" classList={{ frozen: lost() !== null }}>
          <Show when={house().trouble}>
            {(trouble) => (
              <p class="trouble" role="alert">
                {trouble()}
              </p>
            )}
          </Show>
          <Show when={racks().some(({ elevation }) => elevation.past)}>
            <p class="past">As it was. Readings alone are kept, for a day.</p>
          </Show>
          {/* biome-ignore lint/a11y/noStaticElementInteractions: arrows move the focus among the boxes inside, which are what is interacted with */}
          <div
            class="stage"
            ref={(element) => {
              stage = element;
            }}
            onKeyDown={arrow}
          >
            <Show when={!view().table}>
              <For each={racks()}>
                {(kept, i) => {
                  const mine = createMemo(() => {
                    const all = bright();
                    return all === null ? null : all.rack === kept.elevation.rack ? all.places : NOTHING;
                  });
                  return (
                    <figure>
                      <figcaption>
                        <a
                          href={`/${kept.elevation.rack}`}
                          onClick={(event) => follow(event, { racks: [kept.elevation.rack] })}
                        >
                          {kept.elevation.rack}
                        </a>
                        <span>
                          {kept.elevation.totals.watts === null ? "no reading" : watts(kept.elevation.totals.watts)}
                        </span>
                        <Show when={kept.elevation.totals.inlet_max}>
                          {(inlet) => <span>inlet ≤ {reading(inlet(), "celsius")}</span>}
                        </Show>
                        <Show when={kept.elevation.totals.unknown > 0}>
                          <span>{kept.elevation.totals.unknown} don't tell</span>
                        </Show>
                        <a
                          class="picture"
                          href={`/${kept.elevation.rack}.svg?by=${view().by}${view().rear ? "&side=rear" : ""}${view().at === null ? "" : `&at=${encodeURIComponent(view().at ?? "")}`}`}
                          title="as one picture, for wikis and printers"
                        >
                          svg
                        </a>
                      </figcaption>
                      <Show when={plans()[i()]}>
                        {(it) => (
                          <Drawing
                            elevation={kept.elevation}
                            plan={it()}
                            came={kept.came}
                            now={now()}
                            focus={view().focus}
                            stop={stop()}
                            lit={mine()}
                            meant={meant}
                            onHover={hover}
                            onFocus={(place, byKey) => {
                              key(byKey ? place : null);
                              focusOn(place);
                            }}
                            onBlur={() => key(null)}
                          />
                        )}
                      </Show>
                    </figure>
                  );
                }}
              </For>
            </Show>
          </div>
          <Table
            racks={racks()}
            by={BYS.find(({ id }) => id === view().by)?.label ?? ""}
            now={now()}
            shown={view().table}
            focus={view().focus}
            meant={meant}
            onPick={focusOn}
          />
          <Show when={racks().length > 0}>
            <Scrubber
              at={view().at}
              now={now()}
              racks={racks().map(({ elevation }) => elevation.rack)}
              places={servers()}
              onAt={(at) => go({ at }, { replace: true })}
            />
          </Show>
        </div>
        <Show when={house().me}>
          {(me) => (
            <Panel
              racks={racks()}
              rows={house().racks}
              focus={view().focus}
              role={me().role}
              emulator={me().emulator}
              now={now()}
              past={view().at !== null}
              barred={lost() !== null ? LOST : view().at !== null ? PAST : null}
              events={house().events}
              onFocus={focusOn}
              onChange={props.live.refresh}
            />
          )}
        </Show>
      </div>
    </div>
  );
}
