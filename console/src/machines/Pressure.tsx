// That Busbar takes watts from this machine so that nothing trips: how many, why, what gives them back, and what changes it.

import { Show } from "solid-js";
import { better, back, isOver, sake, type Shed, taken } from "../parts/shed";
import { follow } from "../view/router";
import { clock, local, watts } from "../view/words";

/** It is always there, so that who listens hears it come and go. */
export const Pressure = (props: { name: string; shed: Shed | null; now: number }) => (
  <div aria-live="polite">
    <Show when={props.shed}>
      {(shed) => (
        <Show
          when={!isOver(shed())}
          fallback={<p class="lede">What was taken from it is given back; its BMC has not shown it yet.</p>}
        >
          <Now {...props} shed={shed()} />
        </Show>
      )}
    </Show>
  </div>
);

function Now(props: { name: string; shed: Shed; now: number }) {
  const power = () => `/power/${props.shed.place.split("/")[0]}` as const;
  return (
    <section class="pressure">
      <h2>
        {props.name} is {taken(props.shed)} {sake(props.shed)}
      </h2>
      <ul>
        <li>because {local(props.shed.because, new Date(props.now))}</li>
        <li>
          since {clock(new Date(props.shed.since))}: it drew {watts(props.shed.drew)} before
        </li>
        <li>next: {back([props.shed])}</li>
        <Show when={better(props.shed.nice)}>
          {(nice) => (
            <li>
              <code>
                busbar nice -n {nice()} {props.name}
              </code>{" "}
              lets others give way before it:{" "}
              <a class="to" href={power()} onClick={(event) => follow(event, power())}>
                who gives way first
              </a>
            </li>
          )}
        </Show>
      </ul>
    </section>
  );
}
