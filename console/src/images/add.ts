// Adding an image: one request that tells how far it is until it ends.

import { Lost, Refused } from "../api/client";
import type { Problem } from "../api/types";
import { cut, type Progress } from "./images";

/** Milliseconds that the daemon takes at most. */
const LONGEST = 3_600_000;

interface Line {
  done?: number;
  total?: number | null;
  image?: unknown;
  problem?: Problem;
}

/** Resolves when it is added. When the page goes away meanwhile the daemon goes on. */
export async function add(name: string, source: string, tell: (progress: Progress) => void): Promise<void> {
  const response = await fetch("/v1/images", {
    method: "POST",
    headers: { accept: "application/x-ndjson", "content-type": "application/json", "x-busbar": "console" },
    body: JSON.stringify({ name, source }),
    credentials: "same-origin",
    redirect: "error",
    signal: AbortSignal.timeout(LONGEST),
  }).catch(() => null);
  if (response === null) throw new Lost("the daemon does not answer");
  if (!response.ok || response.body === null) {
    const problem = (await response.json().catch(() => null)) as Problem | null;
    throw problem?.detail ? new Refused(problem) : new Lost(`the daemon answered ${response.status} without a reason`);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    const { lines, left } = cut(text + (value ?? ""));
    text = left;
    for (const line of lines) {
      const told = JSON.parse(line) as Line;
      if (told.problem) throw new Refused(told.problem);
      if (told.image !== undefined) return;
      if (told.done !== undefined) tell({ done: told.done, total: told.total ?? null });
    }
    if (done) throw new Lost("the link broke off; the daemon goes on, and the list shows when it is there");
  }
}
