import { expect, test } from "./daemon";

const cords = (page: import("@playwright/test").Page) => page.locator(".oneline .cord");

test("what feeds what is drawn and written, and a loss is foretold before anything is done", async ({
  rack,
  daemon,
}) => {
  await rack.getByRole("link", { name: "Power", exact: true }).click();
  await expect(rack).toHaveURL(/\/power$/);
  await expect(rack.getByRole("heading", { level: 1, name: "Power of r1" })).toBeVisible();
  await expect(rack.locator(".lede")).toContainText("All 10 boxes have power from two PDUs or more.");
  await expect(cords(rack)).toHaveCount(20);
  await rack.getByText("the diagram as a table").click();
  const row = rack.locator(".boxes").getByRole("row", { name: /r1\/u3\b/ });
  await expect(row).toContainText(/pdu-a\/3 \d+ W, pdu-b\/3 \d+ W/);

  // who points at a PDU sees its cords; by keyboard too
  await rack.locator(".oneline .pdu a").first().focus();
  await expect(rack.locator(".oneline .cord.lit")).toHaveCount(10);
  await rack.locator(".oneline .pdu .name").nth(1).hover();
  await expect(rack.locator(".oneline .pdu.lit .name")).toHaveText("pdu-b");
  await expect(rack.locator(".oneline .cord.lit")).toHaveCount(10);

  await rack.getByRole("link", { name: "Lose pdu-a now" }).click();
  await expect(rack).toHaveURL(/fail=/);
  const foretold = rack.getByRole("region", { name: "If r1/pdu-a failed now" });
  await expect(foretold.getByRole("status")).toHaveText(
    /^Nothing dies\. 10 boxes go on with one input\..*Nothing was changed\.$/,
  );
  await expect(foretold).toContainText("busbar whatif fail r1/pdu-a");
  await expect(rack.locator(".oneline .cord.dead")).toHaveCount(10);
  expect(daemon.cli("whatif", "fail", "r1/pdu-a")).toContain("Nothing dies. 10 boxes go on with one input.");

  await rack.getByRole("link", { name: "Lose pdu-b too" }).click();
  await expect(rack.locator(".foretold [role=status]")).toContainText(/\d+ boxes without one go dark/);
  await expect(rack.locator(".oneline .fed.dies")).toHaveCount(10);
  // the address holds all of it
  await rack.reload();
  await expect(rack.locator(".oneline .fed.dies")).toHaveCount(10);
  await rack.getByRole("link", { name: "Back to what is" }).click();
  await expect(rack.locator(".foretold")).toHaveCount(0);
  await expect(rack.locator(".oneline .cord.dead")).toHaveCount(0);
});

test("a tripped PDU is dark as long as it is", async ({ rack, daemon }) => {
  daemon.cli("emulate", "fault", "pdu-b", "trip-breaker");
  try {
    await rack.goto(`${daemon.url}/power/r1`);
    await expect(rack.locator(".lede")).toContainText("r1/pdu-b carries nothing.", { timeout: 60_000 });
    await expect(rack.locator(".oneline .cord.dead")).toHaveCount(10);
    await rack.getByRole("link", { name: "Lose pdu-a now" }).click();
    await expect(rack.locator(".foretold [role=status]")).toContainText("go dark");
  } finally {
    daemon.cli("emulate", "clear", "--all");
  }
});

test("what can't fail is said", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/power/r1?fail=r1/pdu-z`);
  await expect(rack.locator(".told .trouble")).toContainText("there is no PDU, outlet, box or supply `r1/pdu-z`");
});
