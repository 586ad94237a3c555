import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { clean } from "./axe";
import { box, expect, panel, test } from "./daemon";

const { CONSOLE_SCRATCH = "test-results" } = process.env;
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1c2Jhcg anna@desk";
const SECRET = "password-of-nobody";

const heading = (page: Page, text: string | RegExp) => page.getByRole("heading", { level: 1, name: text });
const screen = (page: Page) => page.locator(".xterm-rows");
/** What the console prints: it is drawn only where it can be seen, and the page above it grows as it loads. */
const prints = (page: Page, text: string) =>
  expect(async () => {
    await screen(page).scrollIntoViewIfNeeded();
    await expect(screen(page)).toContainText(text, { timeout: 1_000 });
  }).toPass({ timeout: 20_000 });

// one machine is asked for, looked at and given back
test.describe.configure({ mode: "serial" });

test("a machine is planned as it is typed, run, and looked at while it installs", async ({ rack, daemon }) => {
  await box(rack, "r1/u2").click();
  await rack.keyboard.press("r");
  await expect(rack).toHaveURL(/\/run\?on=r1%2Fu2/);
  await expect(rack.getByLabel("place")).toHaveValue("r1/u2");
  await rack.getByLabel("name").fill("web-1");
  await rack.getByLabel("SSH keys").fill(KEY);
  await rack.getByLabel("user data").fill(`#cloud-config\npassword: ${SECRET}\n`);
  await expect(
    rack.getByText("busbar run demo --name web-1 --on r1/u2 --ssh-key KEY.pub --user-data FILE"),
  ).toBeVisible();
  await expect(heading(rack, "web-1 would go to r1/u2")).toBeVisible();
  await expect(rack.getByText("the only one that fits")).toBeVisible();
  expect(daemon.cli("ps")).not.toContain("web-1");
  // a link is a prepared run, without what may be secret
  expect(decodeURIComponent(rack.url())).toContain("name=web-1");
  expect(rack.url()).not.toContain(SECRET);

  await rack.getByRole("button", { name: "Run" }).click();
  await expect(rack).toHaveURL(/\/machines\/web-1$/);
  const timeline = rack.locator(".timeline");
  await expect(timeline.getByRole("row", { name: /^check/ })).toBeVisible();
  await expect(heading(rack, /web-1 is running on r1\/u2/)).toBeVisible({ timeout: 60_000 });
  await expect(timeline.getByRole("row", { name: /^write .*268 MB/ })).toBeVisible();
  await expect(rack.getByText("anna@desk (ssh-ed25519)")).toBeVisible();
  await expect(rack.getByText("busbar kill -TERM web-1")).toBeVisible();
  await expect(rack.locator(".events")).toContainText("web-1 run demo, on r1/u2");
});

test("what does not fit is refused with what would, and a click asks for that", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/run?image=demo&name=late-1&cores=999`);
  await expect(heading(rack, "it does not fit so")).toBeVisible();
  await rack
    .getByRole("link", { name: /^--cores/ })
    .first()
    .click();
  await expect(heading(rack, /late-1 would go to/)).toBeVisible();
  await expect(rack).not.toHaveURL(/999/);
  await rack.getByLabel("name").fill("Not A Name");
  await expect(rack.getByText("lower case letters, digits and hyphens")).toBeVisible();
  await expect(rack.getByRole("button", { name: "Run" })).toHaveAttribute("aria-disabled", "true");
  // somebody else is faster
  daemon.cli("cordon", "r1/u6", "--why", "fan");
  try {
    await rack.goto(`${daemon.url}/run?image=demo&name=late-1&on=r1/u6`);
    await expect(rack.getByText("r1/u6 can't be given out: cordoned: fan")).toBeVisible();
    await rack.getByRole("button", { name: "Run" }).click();
    await expect(rack.getByText("r1/u6 can't be given out: cordoned: fan")).toBeVisible();
    expect(daemon.cli("ps")).not.toContain("late-1");
    await rack
      .getByRole("link", { name: /^--on r1/ })
      .first()
      .click();
    await expect(heading(rack, /late-1 would go to/)).toBeVisible();
  } finally {
    daemon.cli("uncordon", "r1/u6");
  }
});

test("a console shows what was printed before, is typed at by one at a time, and lets go of the keyboard", async ({
  rack,
  daemon,
  context,
}) => {
  await rack.goto(`${daemon.url}/machines/web-1?console=`);
  // from before anybody looked
  await prints(rack, "cloud-init: host name web-1");
  await expect(rack.getByText("Nobody has the pen.")).toBeVisible();
  await rack.locator(".xterm-helper-textarea").focus();
  await rack.keyboard.type("unheard");
  await rack.getByRole("button", { name: "Take the pen" }).click();
  await expect(rack.getByText("You have the pen")).toBeVisible();
  await rack.keyboard.type("anna");
  await prints(rack, "web-1 login: anna");
  await rack.keyboard.press("Enter");
  await prints(rack, "Password:");
  await expect(screen(rack)).not.toContainText("unheard");

  const other = await context.newPage();
  await other.goto(`${daemon.url}/machines/web-1?console=`);
  await expect(other.getByText(/^admin has the pen since .*reads only/)).toBeVisible();
  await prints(other, "web-1 login: anna");
  await other.getByRole("button", { name: "Take the pen from admin" }).click();
  await expect(other.getByText("You have the pen")).toBeVisible();
  await expect(rack.getByText(/^admin took the pen at .*reads only/)).toBeVisible();
  await other.keyboard.press("Enter");
  await prints(rack, "Login incorrect");

  await other.keyboard.press("Control+]");
  await expect(other.getByRole("button", { name: "Take the pen" })).toBeFocused();
  await expect(rack.getByText("Nobody has the pen.")).toBeVisible();
  await other.close();
});

test("a cap is tried, kept, and drawn as a limit", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/machines/web-1`);
  const caps = rack.locator(".caps");
  await caps.getByLabel("watts").fill("9999");
  await expect(caps.getByText("this box takes no more than")).toBeVisible();
  await caps.getByLabel("watts").fill("600");
  await expect(caps.getByText("busbar cap web-1 600W --try 5m")).toBeVisible();
  await caps.getByRole("button", { name: "Try the cap" }).click();
  await expect(caps.getByText(/^On trial until/)).toBeVisible();
  await caps.getByRole("button", { name: "Keep what is on trial" }).click();
  await expect(caps.getByText(/^On trial until/)).toHaveCount(0);
  await expect(rack.getByText(/W of 600 W · inlet/)).toBeVisible();
  await expect(rack.locator(".plot text.limit")).toContainText("cap 600 W");
});

test("a link shows what it showed, and a reader no secret", async ({ rack, daemon, browser }) => {
  const link = `${daemon.url}/machines/web-1?span=8h&told=&console=`;
  await rack.goto(link);
  await expect(rack.locator(".spans [aria-current]")).toHaveText("8h");
  await prints(rack, "login:");
  const told = rack.locator(".told");
  await expect(told.getByRole("row", { name: "/latest/meta-data/hostname web-1" })).toBeVisible();
  await expect(told.getByRole("row", { name: /^\/latest\/user-data not shown: \d+ bytes/ })).toBeVisible();
  expect(await rack.content()).not.toContain(SECRET);

  const secret = (JSON.parse(daemon.cli("token", "make", "guest", "--role", "reader", "--json")) as { secret: string })
    .secret;
  const stranger = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const page = await stranger.newPage();
    await page.goto(`${daemon.url}/login?token=${secret}`);
    await page.goto(link);
    await expect(heading(page, /web-1 is running/)).toBeVisible();
    await expect(page.locator(".serial")).toContainText("needs the role operator");
    await expect(page.locator(".told")).toContainText("needs the role operator");
    await expect(page.locator(".terminal")).toHaveCount(0);
    await page.goto(`${daemon.url}/run?image=demo`);
    await expect(page.getByText("Not planned: needs the role operator")).toBeVisible();
  } finally {
    await stranger.close();
  }
});

test("the page of a machine is for everybody: axe, 400 % zoom, pictures", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/machines/web-1?console=`);
  await prints(rack, "login:");
  for (const colorScheme of ["light", "dark"] as const) {
    await rack.emulateMedia({ colorScheme });
    await clean(rack, `machine, ${colorScheme}`);
    for (const width of [1280, 1920, 390]) {
      await rack.setViewportSize({ width, height: 900 });
      await prints(rack, "login:");
      await rack.screenshot({
        path: resolve(CONSOLE_SCRATCH, "shots", `machine-${width}-${colorScheme}.png`),
        fullPage: true,
      });
    }
  }
  await rack.setViewportSize({ width: 320, height: 256 });
  const over = () => rack.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  // the terminal takes its new width once it is told of it
  await expect.poll(over).toBeLessThanOrEqual(0);
});

test("machines are found, and one is wiped and given back from its own page", async ({ rack, daemon }) => {
  await rack.keyboard.press("Control+k");
  await rack.keyboard.type("web-1");
  await rack.keyboard.press("Enter");
  await expect(heading(rack, /web-1 is running/)).toBeVisible();
  await rack.getByRole("link", { name: "r1/u2" }).first().click();
  await expect(panel(rack).getByRole("heading", { name: "web-1" })).toBeVisible();
  await panel(rack).getByRole("link", { name: "web-1" }).click();
  await expect(rack).toHaveURL(/\/machines\/web-1$/);
  await rack.goto(`${daemon.url}/machines?sort=-watts&q=web`);
  await expect(rack.getByRole("row", { name: /^web-1 running/ })).toBeVisible();
  await expect(rack.getByRole("columnheader", { name: /watts/ })).toHaveAttribute("aria-sort", "descending");
  await rack.getByRole("link", { name: "web-1" }).click();

  await rack.getByRole("button", { name: "Wipe and give back" }).click();
  const sure = rack.getByRole("dialog");
  await expect(sure.getByText("everything on the disks of r1/u2 is wiped")).toBeVisible();
  await sure.getByRole("button", { name: "Cancel" }).click();
  await expect(heading(rack, /web-1 is running/)).toBeVisible();
  await rack.getByRole("button", { name: "Wipe and give back" }).click();
  await sure.getByRole("button", { name: "Wipe and give back" }).click();
  await expect(heading(rack, /web-1 is released/)).toBeVisible({ timeout: 60_000 });
  // what was promised to nobody any more has no cap either
  daemon.cli("cap", "r1/u2", "none");
});
