import { box, expect, panel, test } from "./daemon";

test("everything is reached by keys alone", async ({ rack }) => {
  const focused = () => rack.evaluate(() => document.activeElement?.getAttribute("data-place") ?? null);
  // Tab comes to the rack in the end, at one box only
  for (let i = 0; i < 40 && (await focused()) === null; i++) await rack.keyboard.press("Tab");
  expect(await focused()).not.toBeNull();
  await rack.keyboard.press("End");
  const bottom = await focused();
  await rack.keyboard.press("ArrowUp");
  expect(await focused()).not.toBe(bottom);
  await rack.keyboard.press("ArrowLeft");
  expect(await focused()).toBe("r1/pdu-a");
  await rack.keyboard.press("ArrowRight");
  await rack.keyboard.press("ArrowRight");
  expect(await focused()).toBe("r1/pdu-b");

  await rack.keyboard.press("Control+k");
  await rack.keyboard.type("u5");
  await rack.keyboard.press("Enter");
  await expect(box(rack, "r1/u5")).toBeFocused();
  await expect(panel(rack).getByRole("heading", { name: "r1/u5" })).toBeVisible();
  await rack.keyboard.press("Enter");
  await expect(panel(rack)).toBeFocused();
  await rack.keyboard.press("Tab");
  expect(await rack.evaluate(() => document.activeElement?.closest(".panel") !== null)).toBe(true);

  await rack.keyboard.press("Escape");
  await expect(box(rack, "r1/u5")).toBeFocused();

  await rack.keyboard.press("?");
  await expect(rack.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await rack.keyboard.press("Escape");
  await expect(rack.getByRole("dialog")).toHaveCount(0);

  await rack.keyboard.press("/");
  await expect(rack.getByLabel("highlight")).toBeFocused();
  await rack.keyboard.type("u7");
  await expect(box(rack, "r1/u8")).toHaveClass(/faded/);
  await rack.keyboard.press("Escape");
  await expect(box(rack, "r1/u8")).not.toHaveClass(/faded/);
  await rack.keyboard.press("b");
  await expect(rack).toHaveURL(/by=share/);
});
