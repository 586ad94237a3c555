// Images, what depends on them, and what can be done with them.

import { type Action, LOST, needs, reason } from "../act/action";
import type { Role } from "../api/types";
import { count } from "../parts/amount";
import { decimal } from "../view/bytes";

export interface Image {
  name: string;
  /** `sha256:…` of what is stored. */
  digest: string;
  /** Bytes that are stored, and of the disk that they unpack to. */
  stored: number;
  raw: number;
  packing: "raw" | "zstd";
  raw_digest: string;
  source: string;
  added: string;
}

export interface User {
  name: string;
  ask: { image: { digest: string } };
  status: { state: string };
}

/** States in which a machine's disk is not written yet; the daemon keeps an image for these. */
const BEFORE = ["pending", "placed", "composing", "booting", "installing", "held"];

/** Machines that were made from it, or will be; one that was given back is none any more. */
export const users = (image: Image, machines: readonly User[]) =>
  machines.filter(({ ask, status }) => ask.image.digest === image.digest && status.state !== "released");

export function headline(images: readonly Image[], machines: readonly User[]): string {
  if (images.length === 0) return "No image is stored: machines can’t be installed yet";
  // two names of the same bytes take their space once
  const bytes = [...new Map(images.map(({ digest, stored }) => [digest, stored])).values()].reduce((a, b) => a + b, 0);
  const used = images.filter((image) => users(image, machines).length > 0).length;
  const of = used === 0 ? "no machine is made from them" : `${used} in use`;
  return `${count(images.length, "image")} in ${decimal(bytes)}, ${of}`;
}

/** Removing one. */
export function remove(image: Image, machines: readonly User[], role: Role, lost: boolean): Action {
  const made = users(image, machines);
  const waiting = made.find(({ status }) => BEFORE.includes(status.state));
  const names = made.map(({ name }) => name).join(", ");
  return {
    id: `remove-${image.name}`,
    label: "Remove",
    command: `busbar image rm ${image.name}`,
    call: { method: "DELETE", path: `/v1/images/${image.name}` },
    ...reason(
      lost && LOST,
      needs(role, "operator"),
      waiting && `${waiting.name} is still to be installed with it: wait, or busbar rm ${waiting.name}`,
    ),
    dies: `${image.name} is taken out of the store, ${decimal(image.stored)}. ${
      made.length === 0
        ? "No machine was made from it."
        : `${names} ${made.length === 1 ? "was" : "were"} made from it and ${made.length === 1 ? "keeps" : "keep"} running.`
    } To have it back, add it again from ${image.source}.`,
  };
}

const NAME = /^[a-z0-9][a-z0-9-]*$/;

/** Why an image can't be added so; null when it can. */
export function unfit(name: string, source: string): string | null {
  if (name === "" || source === "") return "a name and a source are needed";
  if (!NAME.test(name) || name.length > 63) return "names are lower case letters, digits and dashes";
  return null;
}

/** How far adding is. */
export interface Progress {
  done: number;
  /** null while nobody knows. */
  total: number | null;
}

/** Whole lines of a stream, and what is left of it: a chunk ends anywhere. */
export function cut(text: string): { lines: string[]; left: string } {
  const parts = text.split("\n");
  return { left: parts.pop() ?? "", lines: parts.filter((line) => line.trim() !== "") };
}

/** `34 MB of 120 MB, 28 %`. */
export function said({ done, total }: Progress): string {
  if (total === null || total === 0) return `${decimal(done)} so far`;
  return `${decimal(done)} of ${decimal(total)}, ${Math.floor((100 * Math.min(done, total)) / total)} %`;
}

/** A digest as people compare it: what it is of, and its first letters. */
export const short = (digest: string) => digest.replace(/^(sha\d+:[0-9a-f]{12})[0-9a-f]+$/, "$1…");
