import { box, expect, test } from "./daemon";

test("a breaker that trips is seen live, and so is its coming back", async ({ rack, daemon }) => {
  const strip = box(rack, "r1/pdu-b");
  const all = /, (\d+) of \1 outlets on$/;
  await expect(strip).toHaveAttribute("aria-label", all);
  daemon.cli("emulate", "fault", "pdu-b", "trip-breaker");
  await expect(strip).not.toHaveAttribute("aria-label", all, { timeout: 60_000 });
  await expect(box(rack, "r1/pdu-b").locator(".outlet").first()).toBeVisible();
  daemon.cli("emulate", "clear", "--all");
  await expect(strip).toHaveAttribute("aria-label", all, { timeout: 60_000 });
});

test("a link that is lost is said, what is drawn is greyed, and it goes on when the daemon answers", async ({
  rack,
  daemon,
}) => {
  await box(rack, "r1/u1").click();
  daemon.hold(true);
  try {
    await expect(rack.getByText("No answer from the daemon since")).toBeVisible({ timeout: 30_000 });
    await expect(rack.locator(".left")).toHaveClass(/frozen/);
    await expect(rack.getByRole("button", { name: "Disarm" })).toHaveAttribute("aria-disabled", "true");
    await expect(box(rack, "r1/u1")).toBeVisible();
  } finally {
    daemon.hold(false);
  }
  await expect(rack.getByText("No answer from the daemon since")).toHaveCount(0);
  await expect(rack.locator(".left")).not.toHaveClass(/frozen/);
});

test("a daemon that was killed and started again finds its pages where they were, and nobody logs in again", async ({
  rack,
  daemon,
}) => {
  await box(rack, "r1/u4").click();
  await daemon.kill();
  await expect(rack.getByText("No answer from the daemon since")).toBeVisible();
  await daemon.start();
  await expect(rack.getByText("No answer from the daemon since")).toHaveCount(0, { timeout: 60_000 });
  await expect(rack.getByRole("heading", { name: "Log in by a link" })).toHaveCount(0);
  await expect(box(rack, "r1/u4")).toHaveAttribute("aria-pressed", "true");
  await expect(rack.getByRole("button", { name: "Disarm" })).not.toHaveAttribute("aria-disabled", "true");
});
