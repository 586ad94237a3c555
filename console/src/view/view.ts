// What is looked at is all in the address: `/r1?by=inlet&hl=state:running#u12` opens the same view for everybody.

export const BYS = [
  { id: "power", label: "power" },
  { id: "share", label: "share of cap" },
  { id: "inlet", label: "inlet" },
  { id: "hottest", label: "hottest part" },
  { id: "use", label: "use" },
  { id: "health", label: "health" },
  { id: "age", label: "age of readings" },
  { id: "firmware", label: "firmware" },
] as const;

export type By = (typeof BYS)[number]["id"];

/** The view of the rack page. */
export interface View {
  /** Names of racks; none means all. */
  racks: string[];
  by: By;
  /** What is highlighted, as typed; "" for nothing. */
  hl: string;
  /** Drawing or its twin. */
  table: boolean;
  /** From behind. */
  rear: boolean;
  /** A moment of the last day, RFC 3339; null is now. */
  at: string | null;
  /** The focused place, as `r1/u12`; null for none. */
  focus: string | null;
}

const NAME = /^[a-z0-9][a-z0-9-]*$/;
/** Longest part of an address that is taken. */
const LONGEST = 200;

/** Reads an address. What it doesn't understand is left out, never an error: addresses are typed by people. Paths that begin with one
 * of `pages` belong to those, and name no rack. */
export function read(url: { pathname: string; search: string; hash: string }, pages: readonly string[] = []): View {
  const query = new URLSearchParams(url.search);
  const path = decode(url.pathname.replace(/^\/+|\/+$/g, ""));
  const elsewhere = pages.includes(path.split("/")[0] ?? "");
  const racks = elsewhere ? [] : [...new Set(path.split("+").filter((name) => NAME.test(name)))];
  const by = BYS.find(({ id }) => id === query.get("by"))?.id ?? "power";
  const at = query.get("at");
  const time = at === null ? Number.NaN : Date.parse(at);
  const hash = decode(url.hash.replace(/^#/, "")).slice(0, LONGEST);
  const [rack] = racks;
  const focus = hash === "" ? null : hash.includes("/") ? hash : racks.length === 1 ? `${rack}/${hash}` : null;
  return {
    racks,
    by,
    hl: (query.get("hl") ?? "").slice(0, LONGEST),
    table: query.get("view") === "table",
    rear: query.get("side") === "rear",
    at: Number.isNaN(time) ? null : new Date(time).toISOString(),
    focus,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** The address of a view, as short as it can be. */
export function write(view: View, pages: readonly string[] = []): string {
  const query = [
    view.by === "power" ? null : `by=${view.by}`,
    view.hl === "" ? null : `hl=${soft(view.hl)}`,
    view.table ? "view=table" : null,
    view.rear ? "side=rear" : null,
    view.at === null ? null : `at=${view.at.replace(".000Z", "Z")}`,
  ].filter((part) => part !== null);
  const [rack] = view.racks;
  const short = view.racks.length === 1 && view.focus?.startsWith(`${rack}/`);
  const hash = view.focus === null ? "" : short ? view.focus.slice(`${rack}/`.length) : view.focus;
  const alone = view.racks.length === 1 && rack !== undefined && pages.includes(rack) ? "+" : "";
  return `/${view.racks.join("+")}${alone}${query.length > 0 ? `?${query.join("&")}` : ""}${hash ? `#${hash}` : ""}`;
}

/** Percent-encoded but for `:`, `/` and `,`, which a query may hold (RFC 3986 §3.4) and people read. */
const soft = (text: string) =>
  encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%2C", ",");
