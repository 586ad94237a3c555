import { box, expect, test } from "./daemon";

test("in print there is the drawing, and what stands where; nothing to press", async ({ rack }) => {
  await rack.emulateMedia({ media: "print" });
  await expect(box(rack, "r1/u1")).toBeVisible();
  await expect(rack.getByText(/^r1 as of \d{4}-\d\d-\d\d .*, by power$/)).toBeVisible();
  await expect(rack.getByRole("table", { name: "Outlets" })).toBeVisible();
  expect((await rack.getByRole("table", { name: "Outlets" }).boundingBox())?.height).toBeGreaterThan(200);
  await expect(rack.locator("button:visible")).toHaveCount(0);
});
