// A console's line: read from an offset on by long poll, and typed at in order.

import { look, Lost, Refused, tell, words } from "../../api/client";
import { decode, encode, pieces } from "./bytes";
import type { Holder } from "./pen";

export interface ConsoleView {
  place: string;
  link: "closed" | "opening" | "open" | "lost" | "none";
  why?: string | null;
  pen?: Holder | null;
  from: number;
  next: number;
  /** Bytes that were asked for and are no longer kept. */
  lost: number;
  more: boolean;
  data: string;
}

/** Seconds of one long poll, and milliseconds that its answer may take. */
const WAIT = 25;
const PATIENCE = 40_000;
/** Milliseconds between two tries when there is no answer, or a refusal. */
const AGAIN = 1500;

const pause = (milliseconds: number, signal: AbortSignal) =>
  new Promise<void>((then) => {
    const timer = setTimeout(then, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      then();
    });
  });

const url = (name: string) => `/v1/consoles/${name}`;

/** Reads what was printed and what is, until `signal` ends it. */
export async function read(
  name: string,
  signal: AbortSignal,
  heard: (view: ConsoleView, bytes: Uint8Array) => void,
  trouble: (why: string | null) => void,
) {
  let from: number | null = null;
  let after: number | null = null;
  while (!signal.aborted) {
    // the first look is not held back: whoever opens it sees at once what there is
    const query: string[] = after === null ? [] : [`wait=${WAIT}`, `after=${after}`];
    if (from !== null) query.push(`from=${from}`);
    try {
      const path = `${url(name)}${query.length > 0 ? `?${query.join("&")}` : ""}`;
      const { body, change } = await look<ConsoleView>(path, { signal, patience: PATIENCE });
      if (signal.aborted || body === null) return;
      from = body.next;
      after = change;
      trouble(null);
      heard(body, decode(body.data));
    } catch (error) {
      if (signal.aborted) return;
      // a daemon that was started again counts anew
      after = null;
      // a lost link, or an ended session, is told by the frame
      const known = error instanceof Lost || (error instanceof Refused && error.problem.status === 401);
      trouble(known ? null : words(error));
      await pause(AGAIN, signal);
    }
  }
}

/** The keyboard's end of the line. */
export interface Keys {
  /** Sends what was typed, after what was typed before. */
  type: (bytes: Uint8Array) => void;
  /** Asks for the pen, from whoever has it. */
  take: () => Promise<void>;
  /** Gives it back. */
  leave: (leaving?: boolean) => Promise<void>;
}

/** `refused`: it was not taken: somebody else types, or the line is away. */
export function keys(name: string, writer: string, refused: (why: string) => void): Keys {
  let waiting = new Uint8Array();
  let sending = false;
  const send = async () => {
    if (sending) return;
    sending = true;
    try {
      while (waiting.length > 0) {
        const [piece] = pieces(waiting);
        if (piece === undefined) break;
        waiting = waiting.slice(piece.length);
        await tell("POST", url(name), { writer, data: encode(piece) });
      }
    } catch (error) {
      // what comes after would be typed into a gap
      waiting = new Uint8Array();
      refused(words(error));
    } finally {
      sending = false;
    }
  };
  return {
    type: (bytes) => {
      const all = new Uint8Array(waiting.length + bytes.length);
      all.set(waiting);
      all.set(bytes, waiting.length);
      waiting = all;
      void send();
    },
    take: async () => {
      await tell("POST", url(name), { writer, take: true });
    },
    leave: async (leaving = false) => {
      waiting = new Uint8Array();
      await tell("POST", url(name), { writer, leave: true }, { leaving }).catch(() => null);
    },
  };
}
