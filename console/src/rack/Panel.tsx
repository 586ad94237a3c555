// The side panel: of the focused box what it is, what is read of it, why it is so and what may be done; of nothing, the rack.

import { createEffect, createMemo, createResource, For, type JSX, Match, on, Show, Switch } from "solid-js";
import { Acts } from "../act/Acts";
import { look } from "../api/client";
import type { Kept } from "../api/live";
import type { Box, DeviceView, EventView, Flank, NodeView, RackRow, Role, Why } from "../api/types";
import { mark } from "../draw/mark";
import { Facts } from "../parts/Facts";
import { digits, Head } from "../parts/Head";
import { MachineLink } from "../parts/Links";
import { Readings } from "../parts/Readings";
import { Reasons } from "../parts/Reasons";
import { held, sake, taken } from "../parts/shed";
import { clock, local, reading, watts } from "../view/words";
import { PAGES } from "../pages";
import { follow } from "../view/router";
import { ofBox, ofOutlet } from "./actions";
import { next } from "./next";

export interface PanelProps {
  racks: Kept[];
  /** What is told of each rack as a whole. */
  rows: RackRow[];
  focus: string | null;
  role: Role;
  /** Whether the rack is made of software. */
  emulator: boolean;
  now: number;
  past: boolean;
  /** Why nothing can be done now. */
  barred: string | null;
  events: EventView[];
  onFocus: (place: string | null) => void;
  onChange: () => void;
}

export function Panel(props: PanelProps) {
  const box = createMemo(() => {
    const all = props.racks.flatMap(({ elevation: { boxes, feet } }) => [...boxes, ...feet]);
    return all.find(({ place }) => place === props.focus) ?? null;
  });
  const flank = createMemo(
    () => props.racks.flatMap(({ elevation }) => elevation.flanks).find(({ place }) => place === props.focus) ?? null,
  );
  return (
    <aside class="panel" aria-label={props.focus ?? "the racks"} tabindex="-1">
      <Switch fallback={<Whole {...props} />}>
        <Match when={box()}>
          {(it) => (
            <Of
              place={it().place}
              title={
                <Show when={it().machine} fallback={it().name ?? it().place}>
                  {(name) => <MachineLink name={name()} />}
                </Show>
              }
              under={it().machine ? it().place : null}
              onClose={() => props.onFocus(null)}
            >
              <OfBox {...props} box={it()} />
            </Of>
          )}
        </Match>
        <Match when={flank()}>
          {(it) => (
            <Of place={it().place} title={it().place} under={null} onClose={() => props.onFocus(null)}>
              <OfFlank {...props} flank={it()} />
            </Of>
          )}
        </Match>
        <Match when={props.focus !== null && props.racks.length > 0}>
          <Of place={props.focus ?? ""} title={props.focus ?? ""} under={null} onClose={() => props.onFocus(null)}>
            <p>Nothing stands there.</p>
          </Of>
        </Match>
      </Switch>
    </aside>
  );
}

function Of(props: {
  place: string;
  title: JSX.Element;
  under: string | null;
  onClose: () => void;
  children: JSX.Element;
}) {
  return (
    <>
      <header>
        <h2>{props.title}</h2>
        <Show when={props.under}>
          <span class="under">{props.under}</span>
        </Show>
        <button type="button" class="close" aria-label="close" onClick={() => props.onClose()}>
          ×
        </button>
      </header>
      <div class="parts">{props.children}</div>
    </>
  );
}

function OfBox(props: PanelProps & { box: Box }) {
  const isNode = () => props.box.kind === "server" && props.box.found;
  // looked at again whenever the drawing is, so that both say the same
  const came = () => Math.max(0, ...props.racks.map(({ came }) => came));
  const [node, { refetch }] = createResource(
    () => isNode() && props.box.place,
    async (place) => (await look<NodeView>(`/v1/nodes/${place}`)).body,
  );
  const about = () => props.box.machine ?? (isNode() ? props.box.place : null);
  const [why, { refetch: again }] = createResource(about, async (it) => (await look<Why>(`/v1/why/${it}`)).body);
  createEffect(
    on(
      [came, () => props.box.state],
      () => {
        void refetch();
        void again();
      },
      { defer: true },
    ),
  );
  const live = () => (node.error ? undefined : node.latest);
  const reasons = () => (why.error ? undefined : why.latest);
  const state = () => (props.past ? null : props.box.silent ? `no answer: ${props.box.silent}` : mark(props.box).word);
  const less = () => {
    const shed = held(props.box.shed);
    return shed && `${taken(shed)} ${sake(shed)}: ${local(shed.because, new Date(props.now))}`;
  };
  return (
    <>
      <div>
        <Facts
          rows={[
            ["state", state()],
            ["held", props.box.held],
            ["gives way", less()],
            ["cordoned", props.box.cordoned],
            ["value", props.box.value?.text ?? props.box.missing ?? "no reading"],
            ["model", props.box.model ?? props.box.kind],
            ["serial", live()?.identity.serial],
            ["power", props.past ? null : props.box.power],
            ["armed", isNode() ? (props.box.armed ? "yes" : "no, only looked at") : null],
          ]}
        />
        <Show when={!props.past && reasons()}>{(it) => <Reasons why={it()} now={props.now} />}</Show>
      </div>
      <Show when={isNode()}>
        <section>
          <h3>Actions</h3>
          <Acts actions={ofBox(props.box, props.role, props.barred)} onDone={props.onChange} />
        </section>
      </Show>
      <Show when={!props.past && live()}>{(it) => <Readings all={it().live.readings} now={props.now} />}</Show>
    </>
  );
}

function OfFlank(props: PanelProps & { flank: Flank }) {
  const [devices] = createResource(async () => (await look<DeviceView[]>("/v1/devices")).body);
  const device = () => (devices.error ? undefined : devices.latest?.find(({ place }) => place === props.flank.place));
  const behind = (place: string | null) =>
    props.racks.flatMap(({ elevation }) => elevation.boxes).find((box) => box.place === place);
  return (
    <>
      <div>
        <Facts
          rows={[
            ["value", props.flank.value?.text ?? props.flank.missing ?? "no reading"],
            ["model", props.flank.model ?? props.flank.kind],
            ["serial", device()?.serial],
            ["health", props.flank.health],
          ]}
        />
        <Show when={!props.past && device()}>{(it) => <Readings all={it().readings} now={props.now} />}</Show>
      </div>
      <section>
        <h3>Outlets</h3>
        <For each={props.flank.outlets}>
          {(outlet) => (
            <details class="outlets">
              <summary>
                <span class="no">{outlet.outlet}</span>
                <span class="on">{outlet.on === null ? "not told" : outlet.on ? "on" : "off"}</span>
                <span class="feeds">{outlet.feeds ?? outlet.label ?? "nothing known"}</span>
                <span class="value">{outlet.watts === null ? "no reading" : watts(outlet.watts)}</span>
              </summary>
              <Acts
                actions={ofOutlet(props.flank, outlet, behind(outlet.feeds), props.role, props.barred)}
                onDone={props.onChange}
              />
            </details>
          )}
        </For>
      </section>
    </>
  );
}

/** Nothing is focused: the racks in a few numbers, and what happened last. */
function Whole(props: PanelProps) {
  const boxes = () => props.racks.flatMap(({ elevation }) => elevation.boxes).filter(({ kind }) => kind === "server");
  const pages = PAGES.map(({ segment }) => segment);
  const free = () => {
    const shown = props.racks.map(({ elevation }) => elevation.rack);
    return props.rows.filter(({ name }) => shown.includes(name)).reduce((all, row) => all + row.free, 0);
  };
  const steps = () =>
    props.barred === null
      ? next(
          props.racks.map(({ elevation }) => elevation),
          free(),
          props,
          pages,
        )
      : [];
  const count = (test: (box: Box) => boolean) => `${boxes().filter(test).length}`;
  return (
    <div class="parts">
      <div>
        <header>
          <h2>{props.racks.length === 1 ? props.racks[0]?.elevation.rack : `${props.racks.length} racks`}</h2>
        </header>
        <Show when={!props.past}>
          <Facts
            rows={[
              ["servers", count(() => true)],
              ["running", count(({ state }) => state === "running")],
              ["free", `${free()}`],
              ["to look at", count((box) => mark(box).loud)],
            ]}
          />
        </Show>
        <table>
          <caption>Totals</caption>
          <Head of={["rack", digits("at the wall"), digits("warmest inlet"), digits("don't tell")]} />
          <tbody>
            <For each={props.racks}>
              {({ elevation }) => (
                <tr>
                  <th scope="row">{elevation.rack}</th>
                  <td class="value">
                    {elevation.totals.watts === null ? "no reading" : watts(elevation.totals.watts)}
                  </td>
                  <td class="value">{reading(elevation.totals.inlet_max, "celsius")}</td>
                  <td class="value">{elevation.totals.unknown}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={!props.past && steps().length > 0}>
        <section>
          <h3>Next</h3>
          <ul class="next">
            <For each={steps()}>
              {(step) => (
                <li>
                  <a href={step.href} onClick={(event) => follow(event, step.href)}>
                    {step.label}
                  </a>
                  <p>
                    {step.because} <code>{step.command}</code>
                  </p>
                </li>
              )}
            </For>
          </ul>
        </section>
      </Show>
      <section>
        <h3>Latest</h3>
        <ol class="events">
          <For each={props.events.slice(-16).reverse()}>
            {(event) => (
              <li classList={{ loud: event.level === "warning" || event.level === "error" }}>
                <time datetime={event.at}>{clock(new Date(event.at))}</time>
                <span>
                  <b>{event.about}</b> {local(event.what, new Date(props.now))}
                </span>
              </li>
            )}
          </For>
        </ol>
      </section>
    </div>
  );
}
