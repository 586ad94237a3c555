import { expect, test } from "vitest";
import { EMPTY, href, params, parseSpan, read, run, shownBody, type Wish, way, wrong } from "./wish";

const wish = (more: Partial<Wish> = {}): Wish => ({ ...EMPTY, image: "demo", ...more });

test("a run asks for what was filled in only", () => {
  expect(run(wish(), "", false)).toMatchObject({
    command: "busbar run demo",
    call: { path: "/v1/machines", body: { image: "demo" } },
  });
  const all = wish({
    name: "web-1",
    on: "r1/u2",
    cores: "8",
    memory: "64 G",
    disk: "2TB",
    gpu: "2",
    login: "debian",
    nice: "-5",
    wait: "10m",
    key: " k1 \n\nk2",
  });
  expect(run(all, "#cloud-config\n", true)).toMatchObject({
    command:
      "busbar run demo --name web-1 --on r1/u2 --cores 8 --memory 64G --disk 2TB --gpu 2 --ssh-key KEY.pub --ssh-key KEY.pub --user-data FILE --login debian --nice=-5 --wait 10m --dry-run",
    call: {
      path: "/v1/machines?dry_run=true",
      body: {
        image: "demo",
        name: "web-1",
        on: "r1/u2",
        cores: 8,
        memory: 64 * 2 ** 30,
        disk: 2e12,
        gpus: 2,
        ssh_keys: ["k1", "k2"],
        user_data: "#cloud-config\n",
        login: "debian",
        nice: -5,
        wait_seconds: 600,
      },
    },
  });
});

test("a wish stands in the address and comes back from it", () => {
  const it = wish({ name: "web-1", memory: "64G", key: "ssh-ed25519 AAAA a@b" });
  const query = new URL(href(it), "https://rack").searchParams;
  expect(read((name) => query.get(name))).toEqual(it);
  expect(href(EMPTY)).toBe("/run");
  expect(params({ name: "", gpu: "2" })).toEqual({ name: null, gpu: "2" });
});

test("what can't be meant is said at its field", () => {
  expect(wrong(wish())).toEqual({});
  const bad = wish({ name: "Not A Name", cores: "many", memory: "64 potatoes", nice: "20", wait: "soon", gpu: "-1" });
  expect(Object.keys(wrong(bad)).sort()).toEqual(["cores", "gpu", "memory", "name", "nice", "wait"]);
  expect([parseSpan("90"), parseSpan("10m"), parseSpan("1d"), parseSpan("x")]).toEqual([90, 600, 86_400, null]);
});

test("what would fit fills the form, and what must go first is named", () => {
  expect(way("--cores 32    now, on r1/u3")).toEqual({
    text: "--cores 32",
    note: "now, on r1/u3",
    fills: { cores: "32" },
    frees: null,
  });
  expect(way("--on r1/u4    now").fills).toEqual({ on: "r1/u4" });
  expect(way("busbar rm web-1    frees r1/u3")).toMatchObject({ fills: null, frees: "web-1", note: "frees r1/u3" });
  expect(way("busbar arm r1")).toMatchObject({ fills: null, frees: null, text: "busbar arm r1" });
});

test("the call that is shown has neither keys nor user data in it", () => {
  const { body = {} } = run(wish({ key: "secretkey" }), "password: ä", false).call;
  const shown = JSON.stringify(shownBody(body));
  expect(shown).toContain("12 bytes");
  expect(shown).not.toMatch(/secretkey|password/);
});
