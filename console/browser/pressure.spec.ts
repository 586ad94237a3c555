import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { clean } from "./axe";
import { box, expect, panel, test } from "./daemon";

const { CONSOLE_SCRATCH = "test-results" } = process.env;
/** Milliseconds until what was taken is given back: a minute with room, and as long to see it. */
const BACK = 150_000;

const heading = (page: Page, text: string | RegExp) => page.getByRole("heading", { name: text });
const turn = (page: Page, machine: string) => page.locator(".turns").getByRole("row", { name: machine });

const MACHINES = ["train-1", "web-1", "web-2", "db-1"];

// the rack is left as it was found
test.afterEach(({ daemon }) => {
  daemon.cli("emulate", "clear", "--all");
  daemon.cli("emulate", "load", "r1/*", "idle");
  daemon.cli("emulate", "speed", "50");
  daemon.cli("rm", ...MACHINES, "--yes", "--wait", "50s");
});

test("of two who work hard the one of nice 10 is capped when a feed is lost, and gets it back when it is mended", async ({
  rack,
  daemon,
}) => {
  test.setTimeout(120_000 + BACK);
  // the box that draws most is to give way; two more, so that all of them need more than one feed
  daemon.cli("run", "demo", "--name", "train-1", "--on", "r1/u10", "--nice=10", "--detach");
  daemon.cli("run", "demo", "--name", "web-1", "--on", "r1/u2", "--detach");
  daemon.cli("run", "demo", "--name", "web-2", "--on", "r1/u3", "--detach");
  daemon.cli("run", "demo", "--name", "db-1", "--on", "r1/u1");
  await rack.goto(`${daemon.url}/machines/db-1`);
  const nice = rack.locator(".nice");
  await nice.getByLabel("nice").fill("20");
  await expect(nice.getByText("from −20 (shed last) to 19")).toBeVisible();
  await nice.getByLabel("nice").fill("-10");
  await expect(nice.getByText("busbar nice -n -10 db-1")).toBeVisible();
  await nice.getByRole("button", { name: "Set its nice" }).click();
  await expect(nice.getByText("Its nice is -10.")).toBeVisible();
  await rack.goto(`${daemon.url}/machines`);
  for (const name of MACHINES)
    await expect(rack.getByRole("row", { name: new RegExp(`^${name} running`) })).toBeVisible();

  await rack.getByRole("link", { name: "Lab", exact: true }).click();
  const story = rack.getByRole("region", { name: "More than one feed carries" });
  await story.getByRole("button", { name: "Work at full power" }).click();
  await expect(story.getByRole("button", { name: "Let them rest" })).toBeVisible();
  // hot, with fans at full speed, they draw most
  daemon.cli("emulate", "step", "600s");
  await story.getByRole("button", { name: "Run at real time" }).click();
  await expect(story.getByRole("button", { name: "Run at real time" })).toHaveCount(0);

  // who would give way is foretold
  await rack.goto(`${daemon.url}/power/r1?fail=r1/pdu-a`);
  await expect(rack.locator(".foretold .gives").getByRole("row", { name: /^1 train-1 r1\/u10 10 / })).toBeVisible();
  await expect(rack.locator(".foretold .loads").getByRole("row", { name: "r1/pdu-b" })).toContainText(
    "kept from tripping",
  );
  // once it is known which caps the boxes take
  await expect(rack.locator(".oneline .fed.would .name")).toHaveText(["train-1"]);
  await expect(rack.locator(".oneline .fed.would .value")).toHaveText(/^→ capped/);
  await expect(turn(rack, "db-1")).toContainText("nothing");
  await expect(rack.locator(".turns tbody tr").first()).toContainText("train-1");

  await rack.getByRole("link", { name: "Lab", exact: true }).click();
  await story.getByRole("button", { name: "Lose feed-a" }).click();
  await story.getByRole("link", { name: "who gives way first" }).click();
  await expect(heading(rack, "train-1 gives way so that pdu-b does not trip")).toBeVisible();
  await expect(rack.locator(".pressure")).toContainText(
    /because (the fullest line of )?r1\/pdu-b carries \d+ % of its rating/,
  );
  await expect(turn(rack, "train-1")).toContainText(/capped at [\d.]+ kW, drew [\d.]+ kW/);
  for (const name of ["db-1", "web-1", "web-2"]) await expect(turn(rack, name)).toContainText("nothing");
  const drawn = rack.getByRole("link", { name: /^r1\/u10, train-1: .* capped at .* to relieve pdu-b$/ });
  await expect(drawn).toBeVisible();
  expect(daemon.cli("ps")).toMatch(/train-1 +R</);

  // mended, it is held for a minute: time to look at every page that tells of it
  daemon.cli("emulate", "clear", "--all");
  for (const colorScheme of ["light", "dark"] as const) {
    await rack.emulateMedia({ colorScheme });
    await clean(rack, `power under pressure, ${colorScheme}`);
    await rack.screenshot({ path: resolve(CONSOLE_SCRATCH, "shots", `pressure-${colorScheme}.png`), fullPage: true });
  }
  await rack.setViewportSize({ width: 320, height: 256 });
  const over = () => rack.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await expect.poll(over).toBeLessThanOrEqual(0);
  await rack.setViewportSize({ width: 1280, height: 800 });
  await rack.goto(`${daemon.url}/machines`);
  await expect(rack.getByRole("row", { name: /^train-1 running ⌄ capped|^train-1 running capped/ })).toBeVisible();
  await rack.getByRole("link", { name: "train-1" }).click();
  await expect(heading(rack, /^train-1 is capped at .* to relieve pdu-b/)).toBeVisible();
  await expect(rack.getByText("the cap is Busbar's own")).toBeVisible();
  await clean(rack, "a machine that gives way");
  await rack.getByRole("link", { name: "r1/u10" }).first().click();
  await expect(panel(rack).getByText(/^capped at .* to relieve pdu-b/)).toBeVisible();
  await expect(box(rack, "r1/u10").locator(".word")).toHaveText(/^capped/);

  await rack.goto(`${daemon.url}/power/r1`);
  await expect(turn(rack, "train-1")).toContainText("nothing", { timeout: BACK });
  await expect(heading(rack, /gives way so that/)).toHaveCount(0);
  await expect(rack.locator(".oneline .fed.shed")).toHaveCount(0);
});
