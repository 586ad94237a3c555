// The Lab page: an emulated rack to break, and what comes of it. What can be broken and where, the emulator says.

import { createEffect, createMemo, createSignal, Show } from "solid-js";
import { LOST, needs } from "../act/action";
import { Acts } from "../act/Acts";
import { createWatch } from "../api/watch";
import type { Elevation } from "../api/types";
import type { PageProps } from "../pages";
import { follow, go, param, withParams } from "../view/router";
import { age, clock } from "../view/words";
import "./lab.css";
import { Select } from "./Choices";
import { Picked } from "./Picked";
import { Latest, Scene } from "./Scene";
import { Things } from "./Things";
import { headline, lasted } from "./state";
import { story as tale } from "./story";
import * as offers from "./offers";
import type { Fault, FaultKind, LabRack } from "./types";

/** Milliseconds between two looks at what can be broken: it is the same for as long as the daemon runs. */
const SELDOM = 600_000;

export function LabPage(props: PageProps) {
  const house = () => props.live.house;
  const rack = createWatch<LabRack>(props.live, () => "/v1/lab/rack", { key: "place" });
  const faults = createWatch<Fault[]>(props.live, () => "/v1/lab/faults", { key: "id" });
  const kinds = createWatch<FaultKind[]>(props.live, () => "/v1/lab/faults/kinds", { key: "action", every: SELDOM });
  const name = () => house().racks.find(({ emulated }) => emulated)?.name ?? null;
  const drawn = createWatch<Elevation>(
    props.live,
    () => (name() === null ? null : `/v1/racks/${name()}/elevation?by=power`),
    { key: "place" },
  );
  const trouble = () => rack.trouble() ?? faults.trouble() ?? kinds.trouble();
  createEffect(() => {
    document.title = "Lab · Busbar";
  });
  const done = () => {
    rack.refresh();
    faults.refresh();
    drawn.refresh();
    props.live.refresh();
  };
  const all = createMemo(() => {
    const [it, set, can] = [rack.value(), faults.value(), kinds.value()];
    return it && set && can ? { it, set, can } : null;
  });
  return (
    <div class="sheet lab">
      <Show
        when={all()}
        fallback={
          <div aria-busy={trouble() === null}>
            <h1 tabindex={-1}>Lab</h1>
            <p class="lede">{trouble() ?? "…"}</p>
          </div>
        }
      >
        {(known) => (
          <Known
            {...props}
            rack={known().it}
            faults={known().set}
            kinds={known().can}
            name={name() ?? ""}
            elevation={drawn.value()}
            came={drawn.came()}
            onDone={done}
          />
        )}
      </Show>
    </div>
  );
}

interface KnownProps extends PageProps {
  rack: LabRack;
  faults: Fault[];
  kinds: FaultKind[];
  /** The rack's. */
  name: string;
  elevation: Elevation | undefined;
  came: number;
  onDone: () => void;
}

function Known(props: KnownProps) {
  const [speed, setSpeed] = createSignal<string>(offers.SPEEDS.find((it) => Number(it) === props.rack.speed) ?? "10");
  const [step, setStep] = createSignal("600");
  const boxes = () => props.elevation?.boxes ?? [];
  const machines = () => boxes().flatMap(({ machine }) => (machine === null ? [] : [machine]));
  const usable = () =>
    boxes().filter(
      ({ kind, found, armed, cordoned, health }) =>
        kind === "server" && found && armed && cordoned === null && health !== "critical",
    );
  const free = () => usable().find(({ machine }) => machine === null)?.place;
  // accelerators draw more than all else
  const hungry = () => {
    const most = Math.max(1, ...usable().map(({ cells }) => cells.length));
    const like = usable().filter(({ cells }) => cells.length === most);
    return like.some(({ machine }) => machine !== null) ? undefined : like[0]?.place;
  };
  const story = () => tale(lab(), { rack: props.name, machines: machines(), hungry: hungry(), free: free() });
  // what the story does is not offered twice
  const tries = () => offers.toTry(lab()).filter(({ id }) => id !== "feed" || story().length === 0);
  const power = () => `/power/${props.name}` as const;
  const lab = (): offers.Lab => ({
    rack: props.rack,
    kinds: props.kinds,
    faults: props.faults,
    barred: props.live.house.link.state === "lost" ? LOST : needs(props.live.house.me?.role ?? "reader", "operator"),
    called: (place) => {
      const machine = boxes().find((box) => box.place === place)?.machine;
      return machine ? `${place} (${machine})` : place;
    },
    since: ({ since }) => {
      if (!since) return "";
      const then = new Date(since);
      return `, since ${clock(then)} (${age((props.live.now() - then.getTime()) / 1000)})`;
    },
  });
  const names = createMemo(() => [
    ...props.rack.boxes.map(({ place }) => place),
    ...props.rack.gear.map((gear) => gear.name),
    ...props.rack.circuits.map((circuit) => circuit.name),
  ]);
  const picked = () => {
    const asked = param("at");
    return asked !== null && names().includes(asked) ? asked : (names()[0] ?? "");
  };
  const pick = (at: string) => go(withParams({ at }), { replace: true });
  // a PDU is `pdu-a` to the emulator and `r1/pdu-a` in the drawing
  const ofPlace = (place: string) => (names().includes(place) ? place : place.slice(props.name.length + 1));
  const toPlace = () => (picked().includes("/") ? picked() : `${props.name}/${picked()}`);
  const broken = createMemo(() => new Set(props.faults.map(({ on }) => on.at ?? "")));
  const known = () => {
    const flanks = props.elevation?.flanks ?? [];
    return [...boxes(), ...flanks, ...(props.elevation?.feet ?? [])].map(({ place }) => place);
  };
  return (
    <>
      <header>
        <h1 tabindex={-1} aria-live="polite">
          {headline(props.rack, props.faults, lab().called)}
        </h1>
        <p class="lede">
          {props.name} is made of software: break what you like, and mend it again. What comes of it, Busbar learns as
          it would of a real rack, from BMCs and PDUs alone. It is {lasted(props.rack.seconds)} old.
        </p>
      </header>
      <div class="bench">
        <div class="tries">
          <Show when={props.faults.length > 0}>
            <section>
              <h2>Broken now</h2>
              <Acts actions={offers.broken(lab())} onDone={props.onDone} />
            </section>
          </Show>
          <section>
            <h2>Try it</h2>
            <Acts
              actions={[...offers.start(free(), machines(), props.name, lab()), ...tries()]}
              onDone={props.onDone}
            />
          </section>
          <Show when={story().length > 0}>
            <section aria-labelledby="story-name">
              <h2 id="story-name">More than one feed carries</h2>
              <p class="lede">
                Before a breaker trips, Busbar takes watts from machines by their nice, 19 first; when there is room it
                gives them back. What to look at:{" "}
                <a class="to" href={power()} onClick={(event) => follow(event, power())}>
                  who gives way first
                </a>
                .
              </p>
              <Acts actions={story()} onDone={props.onDone} />
            </section>
          </Show>
        </div>
        <div class="sees">
          <Show when={props.elevation}>
            {(elevation) => (
              <Scene
                live={props.live}
                elevation={elevation()}
                came={props.came}
                picked={toPlace()}
                onPick={(place) => pick(ofPlace(place))}
              />
            )}
          </Show>
          <Things rack={props.rack} picked={picked()} broken={broken()} onPick={pick} />
          <Latest live={props.live} />
        </div>
        <div class="more">
          <section>
            <h2>Time</h2>
            <Acts
              actions={offers.pace(speed(), step(), lab())}
              onDone={props.onDone}
              choices={(action) =>
                action().id === "speed" ? (
                  <Select label="times real" of={offers.SPEEDS} value={speed()} onPick={setSpeed} />
                ) : (
                  <Select label="seconds of its time" of={offers.STEPS} value={step()} onPick={setStep} />
                )
              }
            />
          </section>
          <Picked
            at={picked()}
            place={known().includes(toPlace()) ? toPlace() : null}
            machine={boxes().find(({ place }) => place === toPlace())?.machine ?? null}
            lab={lab()}
            onDone={props.onDone}
          />
        </div>
      </div>
    </>
  );
}
