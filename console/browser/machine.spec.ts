import { box, expect, panel, test } from "./daemon";

test("a machine is planned, run, stopped and given back, each as the command that it is", async ({ rack }) => {
  await rack.getByRole("button", { name: "run a machine" }).click();
  const form = rack.getByRole("dialog");
  await form.getByLabel("name").fill("web-1");
  await form.getByLabel("place").selectOption("r1/u2");
  await expect(form.getByText("busbar run demo --name web-1 --on r1/u2 --dry-run")).toBeVisible();
  await form.getByRole("button", { name: "Plan" }).click();
  await expect(form.getByText("It fits:")).toBeVisible();
  await form.getByRole("button", { name: "Run" }).click();
  await expect(form).toHaveCount(0);
  await expect(box(rack, "r1/u2")).toHaveAttribute("aria-label", /web-1, running/, { timeout: 60_000 });

  const side = panel(rack);
  await expect(side.getByRole("heading", { name: "web-1" })).toBeVisible();
  await expect(side.getByText("busbar kill -TERM web-1")).toBeVisible();
  await expect(side.getByText('POST /v1/machines/web-1/signal {"signal":"term"}')).toBeVisible();
  const start = side.getByRole("button", { name: "Start" });
  await expect(start).toHaveAttribute("aria-disabled", "true");

  await side.getByRole("button", { name: "Wipe and give back" }).click();
  const sure = rack.getByRole("dialog");
  await expect(sure.getByText("everything on the disks of r1/u2 is wiped")).toBeVisible();
  await sure.getByRole("button", { name: "Cancel" }).click();
  await expect(box(rack, "r1/u2")).toHaveAttribute("aria-label", /web-1, running/);

  await side.getByRole("button", { name: "Wipe and give back" }).click();
  await sure.getByRole("button", { name: "Wipe and give back" }).click();
  await expect(box(rack, "r1/u2")).not.toHaveAttribute("aria-label", /web-1/, { timeout: 60_000 });
});

test("what does not fit is refused with the reason, and nothing is run", async ({ rack, daemon }) => {
  await rack.keyboard.press("r");
  const form = rack.getByRole("dialog");
  await form.getByLabel("name").fill("late-1");
  await form.getByLabel("place").selectOption("r1/u6");
  // somebody else is faster
  daemon.cli("cordon", "r1/u6", "--why", "fan");
  try {
    await expect(box(rack, "r1/u6")).toHaveAttribute("aria-label", /cordoned/);
    await expect(form.getByLabel("place")).toHaveValue("r1/u6");
    await form.getByRole("button", { name: "Plan" }).click();
    await expect(form.getByRole("status")).toHaveClass(/failed/);
    await expect(form.getByRole("status")).toContainText(/\w/);
    await expect(form.getByRole("button", { name: "Plan" })).toBeVisible();
    expect(daemon.cli("ps")).not.toContain("late-1");
  } finally {
    daemon.cli("uncordon", "r1/u6");
  }
});

test("a name that no machine may have is refused by the form itself", async ({ rack }) => {
  await rack.keyboard.press("r");
  const form = rack.getByRole("dialog");
  await form.getByLabel("name").fill("Not A Name");
  await form.getByRole("button", { name: "Plan" }).click();
  expect(await form.getByLabel("name").evaluate((it: HTMLInputElement) => it.validity.patternMismatch)).toBe(true);
  await rack.keyboard.press("Escape");
  await expect(form).toHaveCount(0);
});
