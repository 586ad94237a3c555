// The frame around every page: head, keys, palette, and what is said when nobody is logged in or nobody answers.

import { createEffect, createMemo, createSignal, For, type JSX, onCleanup, onMount, Show, Suspense } from "solid-js";
import { Dynamic } from "solid-js/web";
import { tell } from "../api/client";
import { createHouse } from "../api/live";
import { PAGES, type PageProps, pageOf } from "../pages";
import { RackPage } from "../rack/RackPage";
import { start } from "../run/start";
import { follow, go, path, view, withParams } from "../view/router";
import { BYS } from "../view/view";
import { age, clock } from "../view/words";
import type { Choice } from "./choices";
import { Help } from "./Help";
import { Login } from "./Login";
import { Palette } from "./Palette";

export function App() {
  const page = createMemo(() => pageOf(path()));
  const live = createHouse(() => {
    const { racks, by, at } = view();
    return { drawn: page() === undefined, racks, by, at };
  });
  const { house, now } = live;
  const [open, setOpen] = createSignal<"help" | "palette" | null>(null);
  const offered = () => {
    const { me } = house;
    return me === null ? [] : PAGES.filter(({ shown }) => shown?.(me) ?? true);
  };
  const past = () => page() === undefined && view().at !== null;
  const close = () => setOpen(null);
  const lost = () => (house.link.state === "lost" ? house.link.since : null);

  const key = (event: KeyboardEvent) => {
    const target = event.target;
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (house.me) setOpen("palette");
      return;
    }
    if (event.metaKey || event.ctrlKey || event.altKey || open() !== null || document.querySelector("dialog[open]"))
      return;
    const find = document.querySelector<HTMLInputElement>(".find");
    if (target === find && event.key === "Escape") {
      go(page() === undefined ? { hl: "" } : withParams({ q: null }), { replace: true });
      find?.blur();
      return;
    }
    if (target instanceof HTMLElement && target.matches("input, select, textarea")) return;
    if (event.key === "Escape" && target instanceof HTMLElement && target.closest(".panel")) {
      document.querySelector<SVGGElement>(".stage [aria-pressed='true']")?.focus();
      return;
    }
    const everywhere: Record<string, () => void> = {
      "?": () => setOpen("help"),
      "/": () => find?.focus(),
      r: () => house.me && go(start(house.kept, page() === undefined ? view().focus : null)),
    };
    const ofRacks: Record<string, () => void> = {
      t: () => go({ table: !view().table }),
      l: () => go({ at: null }, { replace: true }),
      b: () => {
        const next = BYS[(BYS.findIndex(({ id }) => id === view().by) + 1) % BYS.length];
        if (next) go({ by: next.id });
      },
    };
    const act = everywhere[event.key] ?? (page() === undefined ? ofRacks[event.key] : undefined);
    if (!act) return;
    event.preventDefault();
    act();
  };
  onMount(() => addEventListener("keydown", key));
  onCleanup(() => removeEventListener("keydown", key));

  const choose = ({ to }: Choice) => {
    setOpen(to === "help" ? to : null);
    if (to === "help") return;
    go(to);
    if (typeof to === "string") return;
    const place = to.focus;
    if (place)
      queueMicrotask(() => document.querySelector<SVGGElement>(`.stage [data-place="${CSS.escape(place)}"]`)?.focus());
  };
  const leave = async () => {
    await tell("POST", "/logout").catch(() => null);
    location.assign("/");
  };
  createEffect(() => document.documentElement.classList.toggle("lost", lost() !== null));

  return (
    <>
      <button
        type="button"
        class="skip"
        onClick={() => document.querySelector<SVGGElement | HTMLElement>(".stage [tabindex='0'], #main h1")?.focus()}
      >
        To the page
      </button>
      <header class="head">
        <a class="mark" href="/" onClick={(event) => follow(event, "/")}>
          busbar
        </a>
        <nav aria-label="pages">
          <a href="/" aria-current={page() === undefined ? "page" : undefined} onClick={(event) => follow(event, "/")}>
            Rack
          </a>
          <For each={offered()}>
            {({ segment, title }) => (
              <a
                href={`/${segment}`}
                aria-current={page()?.segment === segment ? "page" : undefined}
                onClick={(event) => follow(event, `/${segment}`)}
              >
                {title}
              </a>
            )}
          </For>
        </nav>
        <Show when={page() === undefined && house.racks.length > 1}>
          <nav class="racks" aria-label="racks">
            <For each={house.racks}>
              {({ name }) => (
                <a
                  href={`/${name}`}
                  aria-current={view().racks.includes(name) ? "true" : undefined}
                  onClick={(event) => follow(event, { racks: [name] })}
                >
                  {name}
                </a>
              )}
            </For>
          </nav>
        </Show>
        <span class="grow" />
        <Show when={house.me}>
          {(me) => (
            <>
              <Show when={me().emulator}>
                <span class="tag">emulated</span>
              </Show>
              <button
                type="button"
                class="plain go"
                onClick={() => setOpen("palette")}
                aria-keyshortcuts="Control+K Meta+K"
              >
                go to <kbd>⌘K</kbd>
              </button>
              <button
                type="button"
                class="plain"
                aria-label="keys"
                onClick={() => setOpen("help")}
                aria-keyshortcuts="?"
              >
                <kbd>?</kbd>
              </button>
              <span class="who">
                {me().name}
                <Show when={me().role !== me().name}> · {me().role}</Show>
              </span>
              <button type="button" class="plain" onClick={() => void leave()}>
                log out
              </button>
              <span class="link" classList={{ off: house.link.state !== "live" || past() }}>
                {house.link.state === "lost" ? "no link" : past() ? "past" : house.link.state === "live" ? "live" : "…"}
              </span>
            </>
          )}
        </Show>
      </header>
      <main id="main">
        <div role="alert">
          <Show when={lost()}>
            {(since) => (
              <p class="lostline">
                <b>No answer from the daemon since {clock(new Date(since()))}.</b>{" "}
                <span aria-hidden="true">That is {age((now() - since()) / 1000)}.</span> What is drawn is from then.
                Machines keep running. Tried again every second.
              </p>
            )}
          </Show>
        </div>
        <Show when={house.link.state !== "login"} fallback={<Login />}>
          <Show when={house.link.state !== "waiting"}>
            <Show when={page()} fallback={<RackPage live={live} />}>
              {(it) => (
                <Suspense>
                  <Dynamic<(props: PageProps) => JSX.Element> component={it().Body} live={live} />
                </Suspense>
              )}
            </Show>
          </Show>
        </Show>
      </main>
      <Show when={open() === "help"}>
        <Help onClose={close} />
      </Show>
      <Show when={open() === "palette"}>
        <Palette
          of={[house.racks, Object.values(house.kept).map(({ elevation }) => elevation), offered()]}
          onClose={close}
          onChoose={choose}
        />
      </Show>
    </>
  );
}
