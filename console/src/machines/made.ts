// Values for tests: whole ones, so that each test says only what it is about.

import type { MachineView } from "./types";

type Some = Partial<Omit<MachineView, "status" | "ask">> & {
  status?: Partial<MachineView["status"]>;
  ask?: Partial<MachineView["ask"]>;
};

export const machine = (name: string, { status, ask, ...more }: Some = {}): MachineView => ({
  name,
  uid: "00000000-0000-4000-8000-000000000000",
  created: "2026-11-29T12:00:00Z",
  ask: { image: { name: "demo", digest: "sha256:0" }, ssh_keys: [], nice: 0, ...ask },
  desired: "running",
  status: {
    state: "running",
    stage: "rest",
    since: "2026-11-29T12:01:00Z",
    stage_since: "2026-11-29T12:01:00Z",
    deadline: "2026-11-29T12:01:00Z",
    rung: "gentle",
    tries: 1,
    reason: "its login answers",
    place: "r1/u1",
    timeline: [],
    ...status,
  },
  watts: 300,
  inlet: 22,
  made_of: { cores: 64, memory: 256 * 2 ** 30, gpus: 0, storage: 2e12 },
  budgets: {},
  ...more,
});
