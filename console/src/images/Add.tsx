// The form that adds an image, and how far it is.

import { createSignal, Show } from "solid-js";
import { LOST, needs, shownCall } from "../act/action";
import { words } from "../api/client";
import type { Live } from "../api/live";
import { add } from "./add";
import { type Progress, said, unfit } from "./images";

export function Add(props: { live: Live; onDone: () => void }) {
  const [name, setName] = createSignal("");
  const [source, setSource] = createSignal("");
  const [progress, setProgress] = createSignal<Progress | null>(null);
  const [busy, setBusy] = createSignal(false);
  const [told, tell] = createSignal<{ text: string; failed: boolean } | null>(null);
  const barred = () =>
    (props.live.house.link.state === "lost" ? LOST : null) ?? needs(props.live.house.me?.role ?? "reader", "operator");
  const why = () => barred() ?? unfit(name(), source());
  const call = () => ({
    method: "POST" as const,
    path: "/v1/images",
    body: { name: name() || "NAME", source: source() || "SOURCE" },
  });
  /** Bytes in all, when the source tells. */
  const whole = () => progress()?.total || null;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (why() !== null || busy()) return;
    const of = name();
    setBusy(true);
    tell(null);
    setProgress(null);
    try {
      await add(of, source(), setProgress);
      tell({ text: `Added: ${of}. busbar run ${of}`, failed: false });
      setName("");
      setSource("");
    } catch (error) {
      tell({ text: words(error), failed: true });
    } finally {
      setBusy(false);
      setProgress(null);
      props.onDone();
    }
  };
  return (
    <section>
      <h2>Add an image</h2>
      <form class="add" onSubmit={(event) => void submit(event)}>
        <label>
          <span>source</span>
          <input
            value={source()}
            placeholder="registry.example/debian:13 or /srv/debian.raw"
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => setSource(event.currentTarget.value.trim())}
          />
        </label>
        <label>
          <span>name</span>
          <input
            value={name()}
            placeholder="debian-13"
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => setName(event.currentTarget.value.trim())}
          />
        </label>
        <div class="go">
          <button type="submit" aria-disabled={why() !== null || busy()} aria-describedby="add-why">
            {busy() ? "…" : "Add image"}
          </button>
          <div id="add-why">
            <code>
              busbar image add {name() || "NAME"} {source() || "SOURCE"}
            </code>
            <Show
              when={name() + source() !== "" || barred() !== null ? why() : null}
              fallback={<code class="call">{shownCall(call())}</code>}
            >
              {(it) => <p class="why">{it()}</p>}
            </Show>
          </div>
        </div>
        <Show when={busy()}>
          <p class="far">
            <Show when={whole()} fallback={<progress aria-label="adding" />}>
              {(total) => <progress aria-label="adding" max={total()} value={progress()?.done ?? 0} />}
            </Show>{" "}
            <Show when={progress()} fallback="asks the source">
              {(it) => said(it())}
            </Show>
          </p>
        </Show>
        <p role="status" class="said" classList={{ failed: told()?.failed ?? false }}>
          {told()?.text}
        </p>
      </form>
    </section>
  );
}
