// The power cap and the firmware settings of a machine's box: what holds, what is wanted, and a form that tries a cap first.

import { createSignal, For, Show } from "solid-js";
import { Acts } from "../act/Acts";
import type { Live } from "../api/live";
import type { Role } from "../api/types";
import { createWatch } from "../api/watch";
import { digits, Head } from "../parts/Head";
import { type Shed, sake } from "../parts/shed";
import { Wide } from "../parts/Wide";
import { clock, watts } from "../view/words";
import { capActions, ours, TRIALS, wish } from "./caps";
import type { SettingsView } from "./types";

/** Milliseconds between two looks: each is read from the BMC. */
const EVERY = 20_000;

const limit = (value: number | null | undefined) => (value == null ? "—" : watts(value));

export function Caps(props: {
  live: Live;
  name: string;
  place: string;
  /** What is taken from it so that nothing trips. */
  shed: Shed | null;
  role: Role;
  barred: string | null;
}) {
  const settings = createWatch<SettingsView>(props.live, () => `/v1/settings/${props.place}`, {
    every: EVERY,
    key: "id",
  });
  const [typed, type] = createSignal({ watts: "", trial: "5m" });
  return (
    <section class="caps">
      <h2>Cap and settings</h2>
      <Show when={settings.trouble()}>{(trouble) => <p class="lede">{trouble()}</p>}</Show>
      <Show when={settings.value()}>
        {(it) => (
          <>
            <Show when={it().caps.length > 0}>
              <Wide label="caps">
                <table>
                  <Head of={["cap", digits("in force"), digits("lowest"), digits("highest"), "wanted"]} />
                  <tbody>
                    <For each={it().caps}>
                      {(cap) => (
                        <tr>
                          <th scope="row">{cap.id}</th>
                          <td class="value">{cap.watts == null ? "no cap" : watts(cap.watts)}</td>
                          <td class="value">{limit(cap.lowest)}</td>
                          <td class="value">{limit(cap.highest)}</td>
                          <td>
                            {cap.id === "system" ? wish(it().wanted.cap) : cap.writable ? "" : "fixed"}
                            <Show when={cap.id === "system" && ours(props.shed, it()) && props.shed}>
                              {(shed) => <span class="soft">; in force {sake(shed())}</span>}
                            </Show>
                          </td>
                        </tr>
                      )}
                    </For>
                  </tbody>
                </table>
              </Wide>
            </Show>
            <Show when={it().wanted.trial}>
              {(trial) => (
                <p class="trial">
                  On trial until {clock(new Date(trial().until))}: then{" "}
                  {trial().before == null ? "the cap is lifted" : `${wish(trial().before)} again`}, unless it is kept.
                </p>
              )}
            </Show>
            <For each={it().unfulfilled}>{(why) => <p class="loud">{why}</p>}</For>
            <Show when={Object.entries(it().wanted.bios ?? {})}>
              {(bios) => (
                <dl class="facts">
                  <For each={bios()}>
                    {([name, value]) => (
                      <>
                        <dt>{name}</dt>
                        <dd>
                          {String(value)}
                          {name in it().pending ? ", from the next boot on" : ""}
                        </dd>
                      </>
                    )}
                  </For>
                </dl>
              )}
            </Show>
            <div class="fields">
              <label>
                <span>watts</span>
                <input
                  inputmode="numeric"
                  size="6"
                  value={typed().watts}
                  onInput={(event) => type((all) => ({ ...all, watts: event.currentTarget.value }))}
                  autocomplete="off"
                />
              </label>
              <label>
                <span>for</span>
                <select
                  value={typed().trial}
                  onChange={(event) => type((all) => ({ ...all, trial: event.currentTarget.value }))}
                >
                  <For each={TRIALS}>{({ word, label }) => <option value={word}>{label}</option>}</For>
                </select>
              </label>
            </div>
            <Acts
              actions={capActions(
                { name: props.name, place: props.place, settings: it(), shed: props.shed },
                typed(),
                props.role,
                props.barred,
              )}
              onDone={settings.refresh}
            />
          </>
        )}
      </Show>
    </section>
  );
}
