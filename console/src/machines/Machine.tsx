// One machine: what it is doing and why, what may be done, where the seconds of its install went, its console, power and heat, parts,
// cap, what it is told of itself, and what happened to it.

import { createEffect, For, type JSX, lazy, Show, Suspense } from "solid-js";
import { Acts } from "../act/Acts";
import { LOST, needs } from "../act/action";
import type { Live } from "../api/live";
import type { Why } from "../api/types";
import { createWatch } from "../api/watch";
import { Facts } from "../parts/Facts";
import { PlaceLink } from "../parts/Links";
import { held, sake } from "../parts/shed";
import { ofMachine } from "../rack/actions";
import { follow, param, withParams } from "../view/router";
import { age, clock, local, reading, watts } from "../view/words";
import { Caps } from "./Caps";
import { Happened } from "./Happened";
import { Nice } from "./Nice";
import { Parts } from "./Parts";
import { Plots } from "./Plots";
import { Pressure } from "./Pressure";
import { madeOf, note } from "./rows";
import { Timeline } from "./Timeline";
import { Told } from "./Told";
import type { MachineNode, MachineView } from "./types";

// a terminal is large, and most who look at a machine open none
const Console = lazy(() => import("./console/Console").then((module) => ({ default: module.Console })));

/** Milliseconds between two looks at what hardly changes. */
const SELDOM = 20_000;

export function Machine(props: { live: Live; name: string }) {
  const house = () => props.live.house;
  const view = createWatch<MachineView>(props.live, () => `/v1/machines/${props.name}`);
  const why = createWatch<Why>(props.live, () => `/v1/why/${props.name}`);
  const place = () => view.value()?.status.place ?? null;
  const node = createWatch<MachineNode>(
    props.live,
    () => {
      const at = place();
      return at === null ? null : `/v1/nodes/${at}`;
    },
    { every: SELDOM, key: "id" },
  );
  const now = (name: string) => {
    const { watts = null, inlet = null } = view.value() ?? {};
    if (name === "watts") return watts;
    if (name === "inlet") return inlet;
    return node.value()?.live.readings.find((it) => it.name === name)?.value ?? null;
  };
  const barred = () => (house().link.state === "lost" ? LOST : null);
  const again = () => {
    props.live.refresh();
    view.refresh();
  };
  createEffect(() => {
    document.title = `${props.name} · Busbar`;
  });
  return (
    <div class="sheet machine" aria-busy={view.value() === undefined && view.trouble() === null}>
      <Show when={view.trouble()}>
        {(trouble) => (
          <div>
            <h1 tabindex="-1">{props.name}</h1>
            <p class="trouble" role="alert">
              {trouble()}
            </p>
            <p class="lede">
              <a class="to" href="/machines" onClick={(event) => follow(event, "/machines")}>
                All machines
              </a>
            </p>
          </div>
        )}
      </Show>
      <Show when={view.trouble() === null && view.value()}>
        {(it) => (
          <>
            <Head machine={it()} now={props.live.now()} />
            <Pressure name={props.name} shed={it().shed ?? null} now={props.live.now()} />
            <div class="beside">
              <div>
                <Identity machine={it()} node={node.value()} />
                <Show when={why.value()}>{(told) => <Because why={told()} now={props.live.now()} />}</Show>
              </div>
              <Show when={house().me}>
                {(me) => (
                  <section>
                    <h2>Actions</h2>
                    <Acts
                      actions={ofMachine(
                        { name: props.name, place: place(), state: it().status.state, shed: it().shed ?? null },
                        me().role,
                        barred(),
                      )}
                      onDone={again}
                    />
                  </section>
                )}
              </Show>
            </div>
            <div class="beside">
              <Timeline machine={it()} now={props.live.now()} />
              <Show when={house().me}>
                {(me) => (
                  <div class="stack">
                    <Show when={place()}>
                      {(at) => (
                        <Caps
                          live={props.live}
                          name={props.name}
                          place={at()}
                          shed={held(it().shed)}
                          role={me().role}
                          barred={barred()}
                        />
                      )}
                    </Show>
                    <Nice machine={it()} role={me().role} barred={barred()} onDone={again} />
                  </div>
                )}
              </Show>
            </div>
            <Show when={place() !== null && house().me}>
              {(me) => <Serial name={props.name} me={me().name} denied={needs(me().role, "operator")} />}
            </Show>
            <Show when={place()}>{(at) => <Plots live={props.live} place={at()} cap={limit(it())} now={now} />}</Show>
            <Show when={node.value()}>{(of) => <Parts node={of()} />}</Show>
            <Show when={house().me}>{(me) => <Told live={props.live} name={props.name} role={me().role} />}</Show>
            <Happened live={props.live} name={props.name} place={place()} created={it().created} />
          </>
        )}
      </Show>
    </div>
  );
}

/** The cap that holds, and whether it is there so that nothing trips. */
function limit({ cap, shed }: MachineView): { value: number; name: string } | null {
  if (cap == null) return null;
  return { value: cap, name: shed != null && shed.cap === cap ? `cap ${sake(shed)}` : "cap" };
}

/** The state in a sentence, and its numbers under it. */
function Head(props: { machine: MachineView; now: number }) {
  const status = () => props.machine.status;
  const since = () => {
    const at = new Date(status().since);
    const old = (props.now - at.getTime()) / 1000;
    return at.toDateString() === new Date(props.now).toDateString() ? clock(at) : `${age(old)} ago`;
  };
  const numbers = () => [
    props.machine.watts == null
      ? "no reading of its power"
      : `${watts(props.machine.watts)} ${props.machine.cap == null ? "without a cap" : `of ${watts(props.machine.cap)}`}`,
    props.machine.inlet == null ? "no reading of its inlet" : `inlet ${reading(props.machine.inlet, "celsius")}`,
    ...(props.machine.made_of ? [madeOf(props.machine.made_of)] : []),
    props.machine.ask.image.name,
    `nice ${props.machine.ask.nice ?? 0}`,
  ];
  return (
    <header>
      <h1 tabindex="-1" classList={{ loud: status().state === "held" }}>
        {props.machine.name} is {status().state}
        <Show when={status().place}>
          {(place) => (
            <>
              {" "}
              on <PlaceLink place={place()} />
            </>
          )}
        </Show>{" "}
        since {since()}
        <Show when={note(props.machine) !== ""}>: {note(props.machine)}</Show>
      </h1>
      <p class="lede">{numbers().join(" · ")}</p>
    </header>
  );
}

/** Why it is as it is, what comes next by itself, and what changes it. */
function Because(props: { why: Why; now: number }) {
  const said = (text: string) => local(text, new Date(props.now));
  return (
    <section class="because">
      <ul>
        <For each={props.why.because}>{(it) => <li>because {said(it)}</li>}</For>
        <For each={props.why.next}>{(it) => <li>next: {said(it)}</li>}</For>
      </ul>
      <p>
        <code>busbar why {props.why.about}</code>
      </p>
    </section>
  );
}

/** Who it is: as it was asked for, and as its box tells. */
function Identity(props: { machine: MachineView; node: MachineNode | undefined }) {
  const ask = () => props.machine.ask;
  const rows = (): [string, JSX.Element][] => {
    const { status } = props.machine;
    const keys = ask().ssh_keys ?? [];
    const identity = props.node?.identity;
    return [
      ["address", status.address],
      ["log in", status.address && status.state === "running" && login(status.address, ask().login ?? null)],
      ["keys", keys.length === 0 ? "none: nobody can log in" : keys.map(shortKey).join(", ")],
      ["system on", status.disk],
      ["box", [identity?.maker, identity?.model].filter(Boolean).join(" ")],
      ["serial", identity?.serial],
      ["BIOS", identity?.bios],
      ["power", props.machine.power],
      ["asked for", `${clock(new Date(props.machine.created))}${ask().on ? `, only on ${ask().on}` : ""}`],
      ["image", <span title={ask().image.digest}>{`${ask().image.name}, ${ask().image.digest.slice(0, 19)}`}</span>],
      ["last failure", status.failure],
    ];
  };
  return <Facts rows={rows()} />;
}

/** How its owner logs in, as `busbar run` says it: servers that are made of software are on this host, at a port of their own. */
const login = (address: string, user: string | null) =>
  `ssh ${address.startsWith("127.") ? "-p 2222 " : ""}${user === null ? "" : `${user}@`}${address}`;

/** A public key by its kind and the name that its owner gave it. */
const shortKey = (line: string) => {
  const [kind = "", key = "", ...comment] = line.split(" ");
  return comment.length > 0 ? `${comment.join(" ")} (${kind})` : `${kind} …${key.slice(-8)}`;
};

/** The serial console, once it is asked for: to hold one open is a session on the BMC. */
function Serial(props: { name: string; me: string; denied: string | null }) {
  const open = () => param("console") !== null;
  const to = () => withParams({ console: open() ? null : "" }) as `/${string}`;
  return (
    <section class="serial">
      <div class="headed">
        <h2>Serial console</h2>
        <Show when={props.denied === null}>
          <a class="button" href={to()} onClick={(event) => follow(event, to())}>
            {open() ? "Close" : "Open"}
          </a>
        </Show>
        <Show when={!open()}>
          <span class="soft">
            <code>busbar console {props.name}</code> · recorded since it was placed; one at a time types
          </span>
        </Show>
      </div>
      <Show when={props.denied}>{(why) => <p class="lede">{why()}</p>}</Show>
      <Show when={open() && props.denied === null}>
        <Suspense fallback={<p class="lede">…</p>}>
          <Console name={props.name} me={props.me} />
        </Suspense>
      </Show>
    </section>
  );
}
