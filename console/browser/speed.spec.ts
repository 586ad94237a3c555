import { resolve } from "node:path";
import { box as made, elevation, pdu, value } from "../src/api/made";
import { box, expect, test } from "./daemon";

const { CONSOLE_SCRATCH = "test-results" } = process.env;

// Figures, printed and never asserted: this machine is shared.

// a trace photographs the page at every step, which is what would be measured then
test.use({ trace: "off" });

const tell = (what: string, text: string) => process.stdout.write(`      ${what.padEnd(52)} ${text}\n`);

test("first paint", async ({ rack, daemon }) => {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    await rack.goto("about:blank");
    await rack.goto(`${daemon.url}/r1`);
    await expect(box(rack, "r1/u1")).toBeVisible();
    times.push(
      await rack.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN),
    );
  }
  const drawn = await rack.evaluate(() => {
    const entries = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/elevation"));
    return entries[0] ? (entries[0] as PerformanceResourceTiming).responseEnd : Number.NaN;
  });
  times.sort((a, b) => a - b);
  tell("first contentful paint, median of 5", `${Math.round(times[2] ?? Number.NaN)} ms`);
  tell("the elevation is there (the last of them)", `${Math.round(drawn)} ms`);
  expect(times).toHaveLength(5);
});

test("from an event to the drawing", async ({ rack, daemon }) => {
  const times: number[] = [];
  for (const name of ["pace-1", "pace-2", "pace-3"]) {
    // seen by a watcher in the page: when the event was heard, and when the box says the machine's name
    const seen = rack.evaluate(
      (name) =>
        new Promise<number>((then) => {
          let heard = 0;
          const stream = new EventSource("/v1/events");
          stream.addEventListener("event", (message: MessageEvent<string>) => {
            if (heard === 0 && (JSON.parse(message.data) as { about: string }).about === name)
              heard = performance.now();
          });
          const watch = () => {
            const there = [...document.querySelectorAll(".stage .box")].some((it) =>
              it.getAttribute("aria-label")?.includes(name),
            );
            if (there && heard > 0) {
              stream.close();
              then(performance.now() - heard);
            } else requestAnimationFrame(watch);
          };
          watch();
        }),
      name,
    );
    daemon.cli("run", "demo", "--name", name, "--detach");
    times.push(await seen);
    // in a storm of events a look a second is all there is; measured is what a change costs after quiet
    await expect(rack.locator(".stage .box", { hasText: name })).toHaveAttribute("aria-label", /running/, {
      timeout: 60_000,
    });
    await rack.waitForTimeout(4000);
  }
  tell("from an event after quiet to the drawing, three times", times.map((it) => `${Math.round(it)} ms`).join(", "));
  for (const name of ["pace-1", "pace-2", "pace-3"]) daemon.cli("rm", name, "--yes", "--wait", "2m");
  expect(times).toHaveLength(3);
});

test("ten racks of 42 units stay smooth", async ({ rack, daemon }) => {
  // no machine here emulates 420 BMCs beside a browser: the answers are made up, the page is the real one
  const names = Array.from({ length: 10 }, (_, i) => `x${i + 1}`);
  let turn = 0;
  const draw = (rack: string) => {
    turn += 1;
    const servers = Array.from({ length: 42 }, (_, i) =>
      made(i + 1, {
        place: `${rack}/u${i + 1}`,
        value: value(100 + ((i * 37 + turn * 13) % 700)),
        machine: i % 3 ? `m-${i}` : null,
        state: i % 3 ? "running" : null,
      }),
    );
    // every third rack has boxes of eight units with eight accelerators each
    const tall = Array.from({ length: 5 }, (_, i) =>
      made(1 + 8 * i, {
        place: `${rack}/u${1 + 8 * i}`,
        height: 8,
        machine: `train-${i}`,
        state: "running",
        value: value(5000, { shade: 0.7 }),
        cells: Array.from({ length: 8 }, (_, gpu) => ({
          name: `gpu${gpu}`,
          kind: "gpu",
          shade: ((gpu * 3 + i + turn) % 10) / 10,
          class: null,
          text: `${300 + gpu * 20} W`,
        })),
      }),
    );
    const boxes = Number(rack.slice(1)) % 3 === 0 ? tall : servers;
    const flanks = ["pdu-a", "pdu-b"].map((name) => ({
      ...pdu(name, 42),
      place: `${rack}/${name}`,
      outlets: pdu(name, 42).outlets.map((it) => ({ ...it, feeds: `${rack}/u${it.outlet}` })),
    }));
    return elevation({ rack, boxes, flanks, totals: { watts: 15_000, unknown: 0, inlet_max: 24 } });
  };
  await rack.route("**/v1/racks", (route) =>
    route.fulfill({ json: names.map((name) => ({ name, emulated: true, nodes: 42, devices: 2, free: 0 })) }),
  );
  await rack.route("**/v1/racks/*/elevation*", (route) =>
    route.fulfill({ json: draw(route.request().url().split("/racks/")[1]?.split("/")[0] ?? "x1") }),
  );
  await rack.setViewportSize({ width: 1920, height: 1080 });
  await rack.goto(daemon.url);
  await expect(rack.locator(".stage .box")).toHaveCount(7 * 42 + 3 * 5);
  await rack.screenshot({ path: resolve(CONSOLE_SCRATCH, "shots", "ten-racks-1920.png") });
  const frames = rack.evaluate(
    () =>
      new Promise<number[]>((then) => {
        const all: number[] = [];
        const end = performance.now() + 8000;
        let last = performance.now();
        const frame = (now: number) => {
          all.push(now - last);
          last = now;
          if (now < end) requestAnimationFrame(frame);
          else then(all);
        };
        requestAnimationFrame(frame);
      }),
  );
  // while values change under it, the pointer goes over the racks
  for (let i = 0; i < 60; i++) {
    await rack.mouse.move(100 + ((i * 29) % 1300), 200 + ((i * 17) % 700));
    await rack.waitForTimeout(80);
  }
  const all = (await frames).sort((a, b) => a - b);
  const at = (share: number) => `${(all[Math.floor(all.length * share)] ?? Number.NaN).toFixed(1)} ms`;
  tell("10 racks, frame times: median, 95 %, 99 %, longest", [at(0.5), at(0.95), at(0.99), at(0.9999)].join(", "));
  tell("10 racks, frames a second", (all.length / 8).toFixed(1));
  await rack.unroute("**/v1/racks");
});
