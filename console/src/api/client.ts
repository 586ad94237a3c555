// One way to ask the API. The session's cookie goes along by itself; writes bear the header that other sites can't send.

import type { Problem } from "./types";

/** Milliseconds that an answer may take before the link counts as lost. */
const PATIENCE = 5000;
/** The same for writes, which may wait for a BMC. */
const LONG = 80_000;

/** The API said no, and says why. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** Nobody answered. */
export class Lost extends Error {}

export interface Answer<T> {
  /** null when nothing changed since `etag`. */
  body: T | null;
  etag: string | null;
  /** Number of the latest event, where the answer tells it. */
  event: number | null;
  /** What a long poll is to be asked after next, where the answer tells it. */
  change: number | null;
}

async function send(path: string, init: RequestInit, patience: number): Promise<Response> {
  const signals = [AbortSignal.timeout(patience), init.signal].filter((signal) => signal instanceof AbortSignal);
  try {
    return await fetch(path, {
      ...init,
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Lost(`${path}: no answer`);
  }
}

async function refused(response: Response): Promise<Error> {
  const said: unknown = await response.json().catch(() => null);
  if (typeof said === "object" && said !== null && "code" in said && "detail" in said)
    return new Refused(said as Problem);
  // a proxy in between, say
  return new Lost(`the daemon answered ${response.status} without a reason`);
}

const number = (response: Response, header: string) => {
  const told = Number.parseInt(response.headers.get(header) ?? "", 10);
  return Number.isNaN(told) ? null : told;
};

/** Looks; with `etag`, only if something changed. `patience`: milliseconds, for answers that are held back until there is news. */
export async function look<T>(
  path: string,
  options: { etag?: string | null; signal?: AbortSignal; patience?: number } = {},
): Promise<Answer<T>> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (options.etag) headers["if-none-match"] = options.etag;
  const init: RequestInit = { headers, ...(options.signal && { signal: options.signal }) };
  const response = await send(path, init, options.patience ?? PATIENCE);
  const etag = response.headers.get("etag");
  const [event, change] = [number(response, "busbar-event"), number(response, "busbar-change")];
  if (response.status === 304) return { body: null, etag, event, change };
  if (!response.ok) throw await refused(response);
  try {
    return { body: (await response.json()) as T, etag, event, change };
  } catch {
    throw new Lost(`${path}: the answer broke off`);
  }
}

/** Changes something. `leaving`: it is sent even when the page is closed meanwhile. */
export async function tell<T>(
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
  { leaving = false } = {},
): Promise<T | null> {
  const headers: Record<string, string> = { accept: "application/json", "x-busbar": "console" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = { method, headers, keepalive: leaving };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await send(path, init, LONG);
  if (!response.ok) throw await refused(response);
  const text = await response.text();
  return text === "" ? null : (JSON.parse(text) as T);
}

/** What went wrong, in words for people: what happened, and what to do next. */
export function words(error: unknown): string {
  if (error instanceof Refused) {
    const { problem } = error;
    return problem.hint ? `${problem.detail} — ${problem.hint}` : problem.detail;
  }
  return error instanceof Error ? error.message : "it failed, and nothing says why";
}
