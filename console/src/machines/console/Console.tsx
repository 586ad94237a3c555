// A serial console in the page: what was printed before, what is printed now, and a keyboard for one at a time.

import { createEffect, createSignal, onCleanup, onMount, Show } from "solid-js";
import { words as said } from "../../api/client";
import { go, param, withParams } from "../../view/router";
import { clock } from "../../view/words";
import { type ConsoleView, keys, read } from "./line";
import { asking, given, gone, NOBODY, type Pen, told, words } from "./pen";
import { type Shown, show } from "./terminal";
import "./console.css";

const LINKS: Record<ConsoleView["link"], string> = {
  open: "open",
  opening: "being opened",
  closed: "not held open",
  lost: "lost, and tried again",
  none: "not offered by this box",
};

export function Console(props: { name: string; me: string }) {
  const [pen, setPen] = createSignal<Pen>(NOBODY);
  const [line, setLine] = createSignal<Pick<ConsoleView, "link" | "why"> | null>(null);
  const [trouble, setTrouble] = createSignal<string | null>(null);
  const [refusal, setRefusal] = createSignal<string | null>(null);
  const mine = () => pen().mine !== null;
  const speaks = () => param("speak") !== null;
  const ended = new AbortController();
  const keyboard = keys(props.name, crypto.randomUUID(), (why) => {
    setPen(gone);
    setRefusal(why);
  });
  let field: HTMLDivElement | undefined;
  let button: HTMLButtonElement | undefined;
  let terminal: Shown | null = null;

  async function take() {
    setRefusal(null);
    setPen(asking);
    try {
      await keyboard.take();
      setPen((pen) => given(pen, props.me));
      terminal?.focus();
    } catch (error) {
      setRefusal(said(error));
    }
  }
  function leave() {
    if (mine()) {
      void keyboard.leave();
      setPen(gone);
    }
    // whoever came in by the keyboard gets out by it
    button?.focus();
  }
  onMount(() => {
    if (!field) return;
    terminal = show(field, `serial console of ${props.name}`, {
      typed: (bytes) => {
        if (mine()) keyboard.type(bytes);
      },
      leave,
    });
    terminal.speak(speaks());
    void read(
      props.name,
      ended.signal,
      (view, bytes) => {
        if (view.lost > 0) terminal?.write(`\r\n[${view.lost} bytes are not kept any more]\r\n`);
        terminal?.write(bytes);
        setLine({ link: view.link, why: view.why ?? null });
        setPen((pen) => told(pen, view.pen ?? null, props.me));
      },
      setTrouble,
    );
  });
  createEffect(() => terminal?.typing(mine()));
  createEffect(() => terminal?.speak(speaks()));
  const closing = () => {
    if (mine()) void keyboard.leave(true);
  };
  addEventListener("pagehide", closing);
  onCleanup(() => {
    removeEventListener("pagehide", closing);
    ended.abort();
    closing();
    terminal?.dispose();
  });
  const other = () => (mine() ? null : pen().holder);
  return (
    <div class="terminal">
      <div class="state">
        <button
          type="button"
          ref={(element) => {
            button = element;
          }}
          onClick={() => (mine() ? leave() : void take())}
          aria-describedby="pen-call"
        >
          {mine() ? "Give the pen back" : other() ? `Take the pen from ${other()?.by}` : "Take the pen"}
        </button>
        <p role="status">
          <Show when={line()} fallback="The console is asked for…">
            {(it) => (
              <Show when={it().link !== "open"}>
                <span class="loud">
                  The console is {LINKS[it().link]}
                  {it().why ? `: ${it().why}` : ""}.
                </span>{" "}
              </Show>
            )}
          </Show>
          <Show when={line()}>{words(pen(), (at) => clock(new Date(at)))}</Show>
        </p>
        <label class="speak">
          <input
            type="checkbox"
            checked={speaks()}
            onChange={(event) => go(withParams({ speak: event.currentTarget.checked ? "" : null }), { replace: true })}
          />
          for screen readers
        </label>
      </div>
      <p id="pen-call" class="soft">
        <code>
          busbar console {props.name}
          {other() ? " --take" : ""}
        </code>{" "}
        <code class="call">
          POST /v1/consoles/{props.name} {mine() ? '{"writer":…,"leave":true}' : '{"writer":…,"take":true}'}
        </code>
      </p>
      <Show when={refusal() ?? trouble()}>
        {(why) => (
          <p class="trouble" role="alert">
            {why()}
          </p>
        )}
      </Show>
      <div
        class="field"
        classList={{ typing: mine() }}
        ref={(element) => {
          field = element;
        }}
      />
    </div>
  );
}
