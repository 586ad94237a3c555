// What someone wants to run: as it is typed, as it stands in the address, and as the command and the call that it is. A link is a prepared
// run. User data is not in it: it may hold secrets, and addresses are kept by browsers, logs and whoever they are sent to.

import type { Action } from "../act/action";
import { isNice } from "../parts/shed";
import { parseBytes } from "../view/bytes";

export interface Wish {
  image: string;
  name: string;
  on: string;
  cores: string;
  memory: string;
  disk: string;
  gpu: string;
  login: string;
  nice: string;
  wait: string;
  /** Public keys, one a line. */
  key: string;
}

export type Field = keyof Wish;

export const EMPTY: Wish = {
  image: "",
  name: "",
  on: "",
  cores: "",
  memory: "",
  disk: "",
  gpu: "",
  login: "",
  nice: "",
  wait: "",
  key: "",
};
const FIELDS = Object.keys(EMPTY) as Field[];
/** Longest word of an address that is taken. */
const LONGEST = 16_384;

/** A wish from an address's query. */
export function read(param: (name: string) => string | null): Wish {
  const wish = { ...EMPTY };
  for (const field of FIELDS) wish[field] = (param(field) ?? "").slice(0, LONGEST);
  return wish;
}

/** Its words in the address; what is left to Busbar is left out. */
export function params(wish: Partial<Wish>): Record<string, string | null> {
  return Object.fromEntries(Object.entries(wish).map(([field, value]) => [field, value === "" ? null : value]));
}

/** The address of a prepared run. */
export function href(wish: Partial<Wish> = {}): `/${string}` {
  const query = new URLSearchParams(Object.entries(wish).filter(([, value]) => value !== ""));
  return query.size > 0 ? `/run?${query}` : "/run";
}

/** `10m`, `90s`, `2h`, `1d` in seconds; null when it is no length of time. */
export function parseSpan(text: string): number | null {
  const [, number, unit] = text.trim().match(/^(\d{1,7})\s*([smhd]?)$/) ?? [];
  if (number === undefined) return null;
  const factor = { "": 1, s: 1, m: 60, h: 3600, d: 86_400 }[unit ?? ""] ?? 1;
  return Number(number) * factor;
}

const whole = (text: string) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : null);

/** What is wrong with what was typed, by field; empty when nothing is. */
export function wrong(wish: Wish): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {};
  const check = (field: Field, fine: boolean, why: string) => {
    if (wish[field] !== "" && !fine) found[field] = why;
  };
  check("name", /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(wish.name), "lower case letters, digits and hyphens");
  check("cores", whole(wish.cores) !== null, "a whole number");
  check("gpu", whole(wish.gpu) !== null, "a whole number");
  check("memory", parseBytes(wish.memory) !== null, "a size, such as 64G");
  check("disk", parseBytes(wish.disk) !== null, "a size, such as 2TB");
  check("nice", isNice(wish.nice), "−20 (shed last) to 19 (first)");
  check("wait", parseSpan(wish.wait) !== null, "a length of time, such as 10m");
  return found;
}

const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** A run, or its plan; what was left empty is left to Busbar. */
export function run(wish: Wish, userData: string, dry: boolean): Action {
  const keys = lines(wish.key);
  const number = (field: "cores" | "gpu") => whole(wish[field]) ?? 0;
  const size = (field: "memory" | "disk") => parseBytes(wish[field]) ?? 0;
  const option = (flag: string, value: string) => (value.trim() === "" ? "" : `--${flag} ${value.trim()}`);
  const words = [
    "busbar run",
    wish.image || "IMAGE",
    option("name", wish.name),
    option("on", wish.on),
    option("cores", wish.cores),
    option("memory", wish.memory.replaceAll(" ", "")),
    option("disk", wish.disk.replaceAll(" ", "")),
    option("gpu", wish.gpu),
    ...keys.map(() => "--ssh-key KEY.pub"),
    userData === "" ? "" : "--user-data FILE",
    option("login", wish.login),
    // with an equals sign, as a number below zero would be taken for an option
    wish.nice.trim() === "" ? "" : `--nice=${wish.nice.trim()}`,
    option("wait", wish.wait.replaceAll(" ", "")),
    dry ? "--dry-run" : "",
  ];
  const body = {
    image: wish.image,
    ...(wish.name && { name: wish.name }),
    ...(wish.on && { on: wish.on }),
    ...(number("cores") > 0 && { cores: number("cores") }),
    ...(size("memory") > 0 && { memory: size("memory") }),
    ...(size("disk") > 0 && { disk: size("disk") }),
    ...(number("gpu") > 0 && { gpus: number("gpu") }),
    ...(keys.length > 0 && { ssh_keys: keys }),
    ...(userData !== "" && { user_data: userData }),
    ...(wish.login && { login: wish.login }),
    ...(wish.nice.trim() && { nice: Number(wish.nice) }),
    ...(wish.wait && { wait_seconds: parseSpan(wish.wait) ?? 0 }),
  };
  return {
    id: dry ? "plan" : "run",
    label: dry ? "Plan" : "Run",
    command: words.filter((word) => word !== "").join(" "),
    call: { method: "POST", path: `/v1/machines${dry ? "?dry_run=true" : ""}`, body },
  };
}

/** The call as it is shown: user data and keys as their length, as they are long and not everybody's. */
export function shownBody(body: Record<string, unknown>): Record<string, unknown> {
  const { user_data: data, ssh_keys: keys, ...rest } = body;
  return {
    ...rest,
    ...(Array.isArray(keys) && { ssh_keys: `${keys.length} of them` }),
    ...(typeof data === "string" && { user_data: `${new TextEncoder().encode(data).length} bytes` }),
  };
}

const OPTIONS: Record<string, Field> = { cores: "cores", memory: "memory", gpu: "gpu", on: "on", disk: "disk" };

/** One way that a refusal names: what it says, what it changes of the wish, or the machine that would have to go. */
export interface Way {
  text: string;
  note: string;
  fills: Partial<Wish> | null;
  frees: string | null;
}

/** Reads `--cores 32    now, on r1/u3` and `busbar rm web-1    frees r1/u3`. */
export function way(text: string): Way {
  const [command = text, ...rest] = text.split(/ {2,}/);
  const [, flag, value] = command.match(/^--([a-z-]+) (\S+)$/) ?? [];
  const field = flag === undefined ? undefined : OPTIONS[flag];
  const [, frees] = command.match(/^busbar rm ([a-z0-9-]+)$/) ?? [];
  return {
    text: command,
    note: rest.join(" "),
    fills: field !== undefined && value !== undefined ? { [field]: value } : null,
    frees: frees ?? null,
  };
}
