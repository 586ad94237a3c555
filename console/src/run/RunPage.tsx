// Asking for a machine: the wish at the left, all of it in the address; at the right, as it is typed, where it would go and why, or what
// would fit instead, and what it draws from.

import { createEffect, createMemo, createResource, createSignal, on, onCleanup, onMount, Show } from "solid-js";
import { LOST, needs, shownCall } from "../act/action";
import { look, Refused, tell, words } from "../api/client";
import type { Image, Problem } from "../api/types";
import { createWatch } from "../api/watch";
import type { PageProps } from "../pages";
import { machineHref } from "../view/hrefs";
import { go, param, withParams } from "../view/router";
import { Fields } from "./Fields";
import { type Planned, Outcome } from "./Outcome";
import { Pools } from "./Pools";
import { type Node, pools } from "./pools";
import { params, read, run, shownBody, type Wish, wrong } from "./wish";
import "./run.css";

/** Milliseconds that typing rests before it is planned. */
const REST = 350;
/** Milliseconds after which a plan is made anew by itself: others run machines too. */
const STALE = 10_000;

export function RunPage(props: PageProps) {
  const house = () => props.live.house;
  const wish = createMemo(() => read(param));
  // may hold secrets: never in the address
  const [userData, setUserData] = createSignal("");
  const [images] = createResource(async () => (await look<Image[]>("/v1/images")).body ?? []);
  const nodes = createWatch<Node[]>(props.live, () => "/v1/nodes", { every: STALE, key: "place" });
  const [planned, setPlanned] = createSignal<Planned | null>(null);
  const [problem, setProblem] = createSignal<Problem | string | null>(null);
  const [busy, setBusy] = createSignal(false);
  let form: HTMLFormElement | undefined;
  const change = (more: Partial<Wish>) => go(withParams(params(more)), { replace: true });
  onMount(() => {
    document.title = "Run a machine · Busbar";
    form?.querySelector<HTMLElement>("select, input")?.focus();
  });
  createEffect(
    on(images, (all) => {
      const [first] = all ?? [];
      if (first && wish().image === "") change({ image: first.name });
    }),
  );
  const all = createMemo(() => pools(nodes.value() ?? []));
  const mistakes = createMemo(() => wrong(wish()));
  const denied = () => (house().me ? needs(house().me?.role ?? "reader", "operator") : null);
  const barred = () =>
    denied() ??
    (house().link.state === "lost" ? LOST : null) ??
    (wish().image === ""
      ? images()?.length === 0
        ? "there is no image yet: busbar image add NAME FILE"
        : "choose an image"
      : null) ??
    (Object.keys(mistakes()).length > 0 ? "something above can't be meant" : null);
  const action = createMemo(() => run(wish(), userData(), false));

  // The plan: made of the very wish that stands there, and thrown away when another one does.
  let asked = 0;
  let at = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const failed = (error: unknown) => setProblem(error instanceof Refused ? error.problem : words(error));
  async function plan() {
    if (barred() !== null || busy()) return;
    asked += 1;
    const mine = asked;
    at = performance.now();
    const { call } = run(wish(), userData(), true);
    try {
      const answer = await tell<Planned>(call.method, call.path, call.body);
      if (mine !== asked) return;
      setPlanned(answer);
      setProblem(null);
    } catch (error) {
      if (mine !== asked) return;
      setPlanned(null);
      failed(error);
    }
  }
  createEffect(
    on([() => JSON.stringify(action().call.body), barred], () => {
      asked += 1;
      setPlanned(null);
      setProblem(null);
      clearTimeout(timer);
      timer = setTimeout(() => void plan(), REST);
    }),
  );
  createEffect(
    on(props.live.turn, () => {
      if (performance.now() - at > STALE) void plan();
    }),
  );
  onCleanup(() => clearTimeout(timer));

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    if (busy() || barred() !== null) return;
    asked += 1;
    setBusy(true);
    try {
      const { call } = action();
      const made = await tell<{ name: string }>(call.method, call.path, call.body);
      props.live.refresh();
      if (made) go(machineHref(made.name));
    } catch (error) {
      setPlanned(null);
      failed(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <div class="sheet run">
      <h1 tabindex="-1">
        Run a machine
        <Show when={planned()}>
          {(it) => (
            <>
              : {it().name} {it().status.place ? `would go to ${it().status.place}` : "would wait for parts"}
            </>
          )}
        </Show>
        <Show when={problem()}>: it does not fit so</Show>
      </h1>
      <div class="sides">
        <form
          onSubmit={submit}
          ref={(element) => {
            form = element;
          }}
        >
          <Fields
            wish={wish()}
            wrong={mistakes()}
            images={images() ?? []}
            places={all().flatMap(({ free }) => free)}
            userData={userData()}
            onChange={change}
            onUserData={setUserData}
          />
          <p class="what">
            <code>{action().command}</code>
            <br />
            <code class="call">{shownCall({ ...action().call, body: shownBody(action().call.body ?? {}) })}</code>
          </p>
          <div class="row">
            <Show when={barred()}>{(why) => <p class="why">{why()}</p>}</Show>
            <button type="submit" class="main" aria-disabled={busy() || barred() !== null}>
              {busy() ? "…" : "Run"}
            </button>
          </div>
        </form>
        <div>
          <Outcome
            live={props.live}
            planned={planned()}
            problem={problem()}
            waits={barred()}
            draws={drawn(nodes.value(), planned()?.status.place ?? null)}
          />
          <Pools all={all()} known={nodes.value() !== undefined} />
        </div>
      </div>
    </div>
  );
}

/** Watts that a box draws now, when it tells. */
function drawn(nodes: Node[] | undefined, place: string | null): number | null {
  const node = nodes?.find((it) => it.place === place);
  return node?.live.readings.find(({ name }) => name === "watts")?.value ?? null;
}
