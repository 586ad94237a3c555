import type { Page } from "@playwright/test";
import { box, expect, test } from "./daemon";

const headline = (page: Page) => page.getByRole("heading", { level: 1 });
/** The drawing beside what is broken. */
const seen = (page: Page, place: string) => page.locator(`.scene [data-place="${place}"]`);

test.afterEach(({ daemon }) => {
  daemon.cli("emulate", "clear", "--all");
});

test("a breaker is tripped at a click, its outlets go dark without a reload, and mended all is as it was", async ({
  rack,
}) => {
  await rack.getByRole("link", { name: "Lab" }).click();
  await expect(headline(rack)).toHaveText(/^Nothing is broken/);
  await rack.evaluate(() => Object.assign(window, { same: true }));
  const off = seen(rack, "r1/pdu-b").locator(".outlet.off");
  await expect(seen(rack, "r1/pdu-b").locator(".outlet").first()).toBeVisible();
  await expect(off).toHaveCount(0);
  await rack.getByRole("button", { name: "Trip the breaker of pdu-b" }).click();
  await expect(headline(rack)).toHaveText("1 thing is broken: 10 boxes on fewer supplies than usual.");
  await expect(off).toHaveCount(10);
  await expect(rack.getByRole("row", { name: "pdu-b dark" })).toBeVisible();
  // what would die now is named before it is done
  await expect(
    rack.getByText("10 boxes hang on it; r1/u1, r1/u2, r1/u3, r1/u4 and 6 more have no other"),
  ).toBeVisible();
  const undo = rack.getByRole("button", { name: "Mend" }).first();
  await undo.focus();
  await rack.keyboard.press("Enter");
  await expect(headline(rack)).toHaveText(/^Nothing is broken/);
  await expect(off).toHaveCount(0);
  expect(await rack.evaluate(() => "same" in window)).toBe(true);
});

test("a cable is pulled where one picked it, as the command that it is, and the Rack page shows it", async ({
  rack,
  daemon,
}) => {
  const outlet = box(rack, "r1/pdu-a").locator(".outlet").nth(3);
  await expect(outlet).toHaveText("6");
  await rack.goto(`${daemon.url}/lab?at=r1/u4`);
  const picked = rack.getByRole("region", { name: "what can be done to r1/u4" });
  await expect(picked.getByText("r1/u4 lives on with its other supply.").first()).toBeVisible();
  await expect(picked.getByText("busbar emulate fault r1/u4 pull-cable supply=0")).toBeVisible();
  await picked.getByRole("button", { name: "Pull a power cable" }).click();
  await expect(picked.getByRole("button", { name: "Mend" })).toBeVisible();
  expect(daemon.cli("emulate", "faults")).toContain("pull_cable supply 0 on r1/u4");
  // the other one is the last one now
  await picked.getByLabel("supply").first().selectOption("1");
  await expect(picked.getByText("It is the last one with input: r1/u4 is dead at once.")).toBeVisible();
  await picked.getByRole("link", { name: "r1/u4" }).click();
  await expect(outlet).toHaveText("0");
  daemon.cli("emulate", "clear", "--all");
  await expect(outlet).toHaveText("6");
});

test("who only looks sees why nothing can be broken", async ({ daemon, browser }) => {
  const token = daemon.cli("token", "make", "looker", "--role", "reader", "--json");
  const { secret } = JSON.parse(token) as { secret: string };
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(`${daemon.url}/login?token=${secret}`);
  await page.goto(`${daemon.url}/lab`);
  const trip = page.getByRole("button", { name: "Trip the breaker of pdu-b" });
  await expect(trip).toHaveAttribute("aria-disabled", "true");
  await expect(page.getByText("needs the role operator").first()).toBeVisible();
  await page.close();
});
