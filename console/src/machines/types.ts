// What the API answers of machines, as far as these pages read it.

import type { NodeView } from "../api/types";
import type { Shed } from "../parts/shed";

export interface Phase {
  name: string;
  began: string;
  ended?: string | null;
  bytes?: number | null;
}

export interface MadeOf {
  cores: number;
  /** Bytes. */
  memory: number;
  gpus: number;
  storage: number;
}

export interface Progress {
  phase: string;
  /** Bytes. */
  done: number;
  total: number;
  at: string;
}

export interface MachineView {
  name: string;
  uid: string;
  created: string;
  ask: {
    image: { name: string; digest: string };
    on?: string | null;
    ssh_keys?: string[];
    login?: string | null;
    host_name?: string | null;
    nice?: number;
  };
  desired: string;
  status: {
    state: string;
    stage: string;
    since: string;
    stage_since: string;
    deadline: string;
    rung: string;
    tries: number;
    reason: string;
    failure?: string | null;
    place?: string | null;
    disk?: string | null;
    address?: string | null;
    proof?: string | null;
    timeline: Phase[];
  };
  progress?: Progress | null;
  watts?: number | null;
  inlet?: number | null;
  power?: string | null;
  /** Watts: what is wanted, or less when something is taken from it. */
  cap?: number | null;
  shed?: Shed | null;
  made_of?: MadeOf | null;
  /** Seconds that a phase may take in one try, by its name. */
  budgets?: Record<string, number>;
}

export interface Part {
  id: string;
  kind: {
    kind: string;
    cores?: number;
    threads?: number;
    size?: number;
    bus?: string;
    mac?: string | null;
    link?: boolean | null;
    mbps?: number | null;
    neighbour?: { system: string; port: string } | null;
    memory?: number | null;
    watts?: number | null;
  };
  maker?: string | null;
  model?: string | null;
  serial?: string | null;
  firmware?: string | null;
  health: string;
}

export interface MachineNode extends NodeView {
  id: string;
  bmc: { url: string };
  parts: Part[];
  outlets?: { pdu: string; outlet: string }[];
}

export interface Metadata {
  machine: string;
  address?: string | null;
  silent?: string | null;
  files: { path: string; text?: string | null; withheld?: string | null }[];
}

export interface Cap {
  id: string;
  watts?: number | null;
  lowest?: number | null;
  highest?: number | null;
  writable: boolean;
}

export type CapWish = { watts: number } | "lifted";

export interface SettingsView {
  wanted: {
    cap?: CapWish | null;
    trial?: { until: string; before?: CapWish | null } | null;
    bios?: Record<string, unknown>;
  };
  caps: Cap[];
  bios: Record<string, unknown>;
  pending: Record<string, unknown>;
  unfulfilled: string[];
}
