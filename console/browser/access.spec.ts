import { clean } from "./axe";
import { box, expect, test } from "./daemon";
import { SHEETS } from "./sheets";

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test(`axe finds nothing, ${colorScheme}`, async ({ rack, daemon }) => {
      await clean(rack, "rack");
      await box(rack, "r1/u1").click();
      await expect(rack.getByText("Readings", { exact: true })).toBeVisible();
      await clean(rack, "a box in the panel");
      await box(rack, "r1/pdu-a").click();
      await clean(rack, "a PDU in the panel");
      for (const [key, what] of [
        ["?", "keys"],
        ["Control+k", "palette"],
      ] as const) {
        await rack.keyboard.press(key);
        await expect(rack.getByRole("dialog")).toBeVisible();
        await clean(rack, what);
        await rack.keyboard.press("Escape");
        await expect(rack.getByRole("dialog")).toHaveCount(0);
      }
      for (const by of ["health", "use", "firmware", "age"]) {
        await rack.goto(`${daemon.url}/r1?by=${by}`);
        await expect(box(rack, "r1/u1")).toBeVisible();
        await clean(rack, by);
      }
      await rack.goto(`${daemon.url}/r1?view=table`);
      await expect(rack.getByRole("row", { name: /r1\/u1\b/ }).first()).toBeVisible();
      await clean(rack, "table");
      for (const { path, ready } of SHEETS) {
        await rack.goto(`${daemon.url}${path}`);
        await ready(rack);
        await clean(rack, path);
      }
    });

    test(`axe finds nothing on the login page, ${colorScheme}`, async ({ page, daemon }) => {
      await page.goto(daemon.url);
      await expect(page.getByRole("heading", { name: "Log in by a link" })).toBeVisible();
      await clean(page, "login");
    });
  });
}

test("at 400 % zoom nothing is cut off but the drawing, which scrolls", async ({ rack }) => {
  // WCAG 1.4.10: 1280 pixels at 400 % are 320
  await rack.setViewportSize({ width: 320, height: 256 });
  await expect(box(rack, "r1/u1")).toBeAttached();
  const over = await rack.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over).toBeLessThanOrEqual(0);
});

test("at 400 % zoom the other pages are not cut off either", async ({ rack, daemon }) => {
  await rack.setViewportSize({ width: 320, height: 256 });
  for (const { path, ready } of SHEETS) {
    await rack.goto(`${daemon.url}${path}`);
    await ready(rack);
    const over = await rack.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(over, path).toBeLessThanOrEqual(0);
  }
});
