// Asking for a machine: planned first, run when the plan holds.

import { createEffect, createMemo, createResource, createSignal, For, on, Show } from "solid-js";
import { needs, shownCall } from "../act/action";
import { look, Refused, tell, words } from "../api/client";
import type { Image, Problem, Role } from "../api/types";
import { Dialog } from "../frame/Dialog";
import { run, type Wish } from "./actions";

interface Planned {
  name: string;
  status: { place?: string | null; reason: string };
}

export function RunForm(props: {
  places: string[];
  on: string;
  role: Role;
  onClose: () => void;
  onRun: (place: string | null) => void;
}) {
  const [images] = createResource(async () => (await look<Image[]>("/v1/images")).body ?? []);
  const [wish, setWish] = createSignal<Wish>({ image: "", name: "", on: props.on, key: "" });
  const [planned, setPlanned] = createSignal<Planned | null>(null);
  const [problem, setProblem] = createSignal<Problem | string | null>(null);
  const [busy, setBusy] = createSignal(false);
  const change = (more: Partial<Wish>) => setWish((all) => ({ ...all, ...more }));
  createEffect(
    on(images, (all) => {
      const [first] = all ?? [];
      if (first && wish().image === "") change({ image: first.name });
    }),
  );
  // a plan holds for the very wish that it was made of
  createEffect(
    on(
      wish,
      () => {
        setPlanned(null);
        setProblem(null);
      },
      { defer: true },
    ),
  );
  // what was chosen stays there to be seen, even when somebody else takes it meanwhile
  const places = createMemo(() => {
    const { on: chosen } = wish();
    return chosen === "" || props.places.includes(chosen) ? props.places : [...props.places, chosen];
  });
  const action = createMemo(() => run(wish(), planned() === null));
  const barred = () =>
    needs(props.role, "operator") ??
    (wish().image === "" ? "choose an image; there is none yet: busbar image add NAME FILE" : null);
  async function submit(event: SubmitEvent) {
    event.preventDefault();
    if (busy() || barred() !== null) return;
    setBusy(true);
    setProblem(null);
    const dry = planned() === null;
    try {
      const answer = await tell<Planned>(action().call.method, action().call.path, action().call.body);
      if (dry) setPlanned(answer);
      else props.onRun(answer?.status.place ?? null);
    } catch (error) {
      setPlanned(null);
      setProblem(error instanceof Refused ? error.problem : words(error));
    } finally {
      setBusy(false);
    }
  }
  const refusal = () => {
    const it = problem();
    return it !== null && typeof it === "object" ? it.refusal : undefined;
  };
  return (
    <Dialog label="Run a machine" class="run" onClose={props.onClose}>
      <h2>Run a machine</h2>
      <form onSubmit={submit}>
        <label>
          <span>image</span>
          <select required value={wish().image} onChange={(e) => change({ image: e.currentTarget.value })}>
            <For each={images() ?? []}>{({ name }) => <option value={name}>{name}</option>}</For>
          </select>
        </label>
        <label>
          <span>name</span>
          <input
            value={wish().name}
            onInput={(e) => change({ name: e.currentTarget.value })}
            placeholder="made from the image's"
            pattern="[a-z0-9][a-z0-9\-]*"
            title="lower case letters, digits and hyphens"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <label>
          <span>place</span>
          <select value={wish().on} onChange={(e) => change({ on: e.currentTarget.value })}>
            <option value="">wherever it fits</option>
            <For each={places()}>{(place) => <option value={place}>{place}</option>}</For>
          </select>
        </label>
        <label>
          <span>SSH public key</span>
          <textarea
            rows={2}
            value={wish().key}
            onInput={(e) => change({ key: e.currentTarget.value })}
            placeholder="none: nobody can log in"
            spellcheck={false}
          />
        </label>
        <p class="what">
          <code>{action().command}</code>
          <br />
          <code class="call">{shownCall(action().call)}</code>
        </p>
        <div role="status" class="said" classList={{ failed: problem() !== null }}>
          <Show when={planned()}>
            {(it) => (
              <p>
                It fits: <b>{it().name}</b> on <b>{it().status.place ?? "the first place that frees"}</b>. Nothing was
                changed yet.
              </p>
            )}
          </Show>
          <Show when={problem()}>
            {(it) => {
              const text = () => {
                const said = it();
                return typeof said === "string" ? said : said.hint ? `${said.detail} — ${said.hint}` : said.detail;
              };
              return <p>{refusal()?.headline ?? text()}</p>;
            }}
          </Show>
          <Show when={(refusal()?.fits_if.length ?? 0) > 0}>
            <p>It fits if:</p>
            <ul>
              <For each={refusal()?.fits_if}>{(way) => <li>{way}</li>}</For>
            </ul>
          </Show>
          <Show when={barred()}>{(why) => <p>{why()}</p>}</Show>
        </div>
        <div class="row">
          <button type="button" onClick={() => props.onClose()}>
            Cancel
          </button>
          <button type="submit" class="main" aria-disabled={busy() || barred() !== null}>
            {busy() ? "…" : planned() === null ? "Plan" : "Run"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
