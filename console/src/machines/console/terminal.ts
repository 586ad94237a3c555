// xterm.js as this page uses it: its size, its colours, its keys.

import { FitAddon } from "@xterm/addon-fit";
import { type ITheme, Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { isLeave } from "./leave";
import { styled, unstyled } from "./page";

/** Lines; a serial line has no size, and programs on it take the one that terminals always had. */
const ROWS = 24;
const COLUMNS = 80;
/** Lines of scroll-back; the daemon keeps less. */
const BACK = 10_000;
/** Contrast of letters to their ground at least (WCAG 1.4.3). */
const CONTRAST = 4.5;

function theme(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("span");
  document.documentElement.append(probe);
  // light-dark() is resolved by the browser where it is used, not where it is defined
  const color = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    background: color("--panel"),
    foreground: color("--ink"),
    cursor: color("--accent"),
    cursorAccent: color("--panel"),
    selectionBackground: color("--hair"),
    scrollbarSliderBackground: color("--hair"),
    scrollbarSliderHoverBackground: color("--line"),
    scrollbarSliderActiveBackground: color("--line"),
  };
  probe.remove();
  return style.color === "" ? {} : found;
}

export interface Shown {
  write: (bytes: Uint8Array | string) => void;
  /** Whether keys go to the machine. */
  typing: (on: boolean) => void;
  speak: (on: boolean) => void;
  focus: () => void;
  dispose: () => void;
}

export function show(
  element: HTMLElement,
  label: string,
  { typed, leave }: { typed: (bytes: Uint8Array) => void; leave: () => void },
): Shown {
  const mono = getComputedStyle(document.documentElement).getPropertyValue("--mono");
  const terminal = new Terminal({
    rows: ROWS,
    cols: COLUMNS,
    scrollback: BACK,
    fontFamily: mono || "monospace",
    fontSize: 13,
    theme: theme(),
    minimumContrastRatio: CONTRAST,
    disableStdin: true,
    cursorBlink: false,
    documentOverride: styled(document),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  unstyled(document, () => terminal.open(element));
  terminal.textarea?.setAttribute("aria-label", label);
  const text = new TextEncoder();
  terminal.onData((data) => typed(text.encode(data)));
  // reports of old mice: bytes, not letters
  terminal.onBinary((data) => typed(Uint8Array.from(data, (letter) => letter.charCodeAt(0))));
  terminal.attachCustomKeyEventHandler((event) => {
    if (isLeave(event)) {
      event.preventDefault();
      if (event.type === "keydown") leave();
      return false;
    }
    // without the pen the terminal takes no key but those that scroll it: Tab goes on through the page
    return terminal.options.disableStdin !== true || (event.shiftKey && event.key.startsWith("Page"));
  });
  const size = () => {
    const proposed = fit.proposeDimensions();
    if (proposed && Number.isFinite(proposed.cols)) terminal.resize(Math.max(20, proposed.cols), ROWS);
  };
  const observer = new ResizeObserver(size);
  observer.observe(element);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    terminal.options.theme = theme();
  };
  dark.addEventListener("change", paint);
  return {
    write: (bytes) => terminal.write(bytes),
    typing: (on) => {
      terminal.options.disableStdin = !on;
    },
    speak: (on) => {
      terminal.options.screenReaderMode = on;
    },
    focus: () => terminal.focus(),
    dispose: () => {
      observer.disconnect();
      dark.removeEventListener("change", paint);
      terminal.dispose();
    },
  };
}
