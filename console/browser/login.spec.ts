import { box, expect, test } from "./daemon";

test("who is not logged in is told the command that helps, and nothing of the rack", async ({ page, daemon }) => {
  await page.goto(`${daemon.url}/r1`);
  await expect(page.getByRole("heading", { name: "Log in by a link" })).toBeVisible();
  await expect(page.getByText("busbar token show-context --link")).toBeVisible();
  await expect(page.locator(".stage")).toHaveCount(0);
});

test("the link logs in, and the token leaves the address", async ({ page, daemon, context }) => {
  await page.goto(daemon.link());
  await expect(box(page, "r1/u1")).toBeVisible();
  expect(page.url()).not.toContain("token");
  const [cookie] = (await context.cookies()).filter(({ name }) => name === `busbar-${new URL(daemon.url).port}`);
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", secure: true, path: "/" });
});

test("a page that waits for a login goes on by itself, and logging out ends it", async ({ page, daemon, context }) => {
  await page.goto(`${daemon.url}/r1?by=inlet`);
  await expect(page.getByRole("heading", { name: "Log in by a link" })).toBeVisible();
  const other = await context.newPage();
  await other.goto(daemon.link());
  await expect(box(page, "r1/u1")).toBeVisible();
  expect(page.url()).toContain("by=inlet");
  await page.getByRole("button", { name: "log out" }).click();
  await expect(page.getByRole("heading", { name: "Log in by a link" })).toBeVisible();
});
