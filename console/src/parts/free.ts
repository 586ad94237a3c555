// The answer of /v1/free.

export interface FreeRow {
  resource: string;
  unit: string;
  total: number | null;
  reserved: number | null;
  used: number | null;
  free: number | null;
  largest: number | null;
  notes: string[];
}

export interface Free {
  rows: FreeRow[];
}

/** Where it is asked for, of a rack or (null) of all. */
export const freePath = (rack: string | null) => `/v1/free${rack ? `?rack=${encodeURIComponent(rack)}` : ""}`;

const NAMES: Record<string, string> = { gpus: "GPUs", rack_units: "rack units" };

/** What people call a resource. */
export const named = (resource: string) => NAMES[resource] ?? resource;
