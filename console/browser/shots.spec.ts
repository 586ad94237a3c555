import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { box, expect, panel, test } from "./daemon";
import { SHEETS } from "./sheets";

// Pictures for eyes; nothing is compared. What a test needs to be true of them, another test says.

const { CONSOLE_SCRATCH = "test-results" } = process.env;
const SIZES = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
  { width: 390, height: 844 },
];

/** Takes a page as it is, in the light and in the dark. */
async function shootBoth(page: Page, name: string, width: number) {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({
      path: resolve(CONSOLE_SCRATCH, "shots", `${name}-${width}-${colorScheme}.png`),
      fullPage: width < 500,
    });
  }
}

for (const viewport of SIZES) {
  test.describe(`${viewport.width}`, () => {
    test.use({ viewport });

    test(`screenshots at ${viewport.width}`, async ({ rack, daemon, browser }) => {
      const shoot = (name: string) => shootBoth(rack, name, viewport.width);
      if (!daemon.cli("ps").includes("web-1")) {
        daemon.cli("run", "demo", "--name", "web-1", "--on", "r1/u1");
        daemon.cli("run", "demo", "--name", "db-1", "--on", "r1/u3");
        daemon.cli("run", "demo", "--name", "train-1", "--on", "r1/u10");
        daemon.cli("emulate", "load", "r1/u1", "training");
        daemon.cli("emulate", "load", "r1/u10", "training");
      }
      await expect(box(rack, "r1/u1")).toHaveAttribute("aria-label", /web-1, running/, { timeout: 60_000 });
      await shoot("rack");
      await box(rack, "r1/u1").click();
      await expect(panel(rack).getByText("Readings", { exact: true })).toBeVisible();
      await rack.mouse.move(1, 1);
      await shoot("box");
      await box(rack, "r1/u1").hover();
      await shoot("hover");
      await box(rack, "r1/pdu-a").click();
      await rack.mouse.move(1, 1);
      await shoot("pdu");
      for (const by of ["inlet", "hottest", "health", "use"]) {
        await rack.goto(`${daemon.url}/r1?by=${by}`);
        await expect(box(rack, "r1/u1")).toBeVisible();
        await shoot(by);
      }
      await rack.goto(`${daemon.url}/r1?view=table#u1`);
      await expect(rack.getByRole("row", { name: /r1\/u1\b/ }).first()).toBeVisible();
      await shoot("table");
      await rack.keyboard.press("Control+k");
      await shoot("palette");
      await rack.keyboard.press("Escape");
      for (const { path, ready } of SHEETS) {
        await rack.goto(`${daemon.url}${path}`);
        await ready(rack);
        await shoot(path.slice(1).replaceAll(/\W+/g, "-"));
      }
      const stranger = await browser.newPage({ ignoreHTTPSErrors: true, viewport });
      await stranger.goto(daemon.url);
      await expect(stranger.getByRole("heading", { name: "Log in by a link" })).toBeVisible();
      await shootBoth(stranger, "login", viewport.width);
      await stranger.close();
    });
  });
}

test("screenshots of bad luck", async ({ rack, daemon }) => {
  const shoot = (name: string) => shootBoth(rack, name, 1280);
  daemon.cli("emulate", "fault", "pdu-b", "trip-breaker");
  daemon.cli("emulate", "fault", "r1/u5", "hang");
  await box(rack, "r1/pdu-b").click();
  await expect(box(rack, "r1/u5")).toHaveAttribute("aria-label", /silent/, { timeout: 60_000 });
  await rack.mouse.move(1, 1);
  await shoot("breaker");
  await rack.goto(`${daemon.url}/r1?by=health#u1`);
  await expect(box(rack, "r1/u1")).toBeVisible();
  await shoot("breaker-health");
  daemon.cli("emulate", "clear", "--all");
  daemon.hold(true);
  try {
    await expect(rack.getByText("No answer from the daemon since")).toBeVisible({ timeout: 30_000 });
    await shoot("lost");
  } finally {
    daemon.hold(false);
  }
});
