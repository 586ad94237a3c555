import { box, expect, panel, test } from "./daemon";

interface Drawn {
  boxes: { place: string; value: { text: string } | null }[];
  flanks: { place: string }[];
}

test("every box is drawn, and the table says the same", async ({ rack }) => {
  const answer = await rack.request.get("/v1/racks/r1/elevation?by=power".replace(/^/, new URL(rack.url()).origin));
  const drawn = (await answer.json()) as Drawn;
  expect(drawn.boxes.length).toBeGreaterThanOrEqual(10);
  for (const { place } of [...drawn.boxes, ...drawn.flanks]) await expect(box(rack, place)).toBeVisible();
  await rack.keyboard.press("t");
  await expect(rack).toHaveURL(/view=table/);
  for (const { place } of [...drawn.boxes, ...drawn.flanks]) {
    await expect(rack.getByRole("row", { name: place, exact: false }).first()).toBeVisible();
  }
  const header = rack.getByRole("columnheader", { name: "value" }).first();
  await header.getByRole("button").click();
  await expect(header).toHaveAttribute("aria-sort", "ascending");
  const values = async () =>
    (await rack.locator(".tables table").first().locator("tbody td.value").allInnerTexts())
      .map((text) => Number.parseFloat(text) * (text.includes("kW") ? 1000 : 1))
      .filter((value) => !Number.isNaN(value));
  const sorted = await values();
  expect(sorted.length).toBeGreaterThan(1);
  expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
});

test("a link holds the whole view", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/r1?by=inlet&hl=u3#u3`);
  await expect(rack.getByLabel("colour by")).toHaveValue("inlet");
  await expect(rack.getByLabel("highlight")).toHaveValue("u3");
  await expect(box(rack, "r1/u3")).toHaveAttribute("aria-pressed", "true");
  await expect(box(rack, "r1/u3")).not.toHaveClass(/faded/);
  await expect(box(rack, "r1/u4")).toHaveClass(/faded/);
  await expect(panel(rack).getByRole("heading", { name: "r1/u3" })).toBeVisible();
  await rack.getByLabel("colour by").selectOption("health");
  await expect(rack).toHaveURL(/by=health/);
  await rack.goBack();
  await expect(rack.getByLabel("colour by")).toHaveValue("inlet");
});

test("hovering a box lights its cords and fades the rest", async ({ rack }) => {
  await box(rack, "r1/u1").hover();
  await expect(box(rack, "r1/u2")).toHaveClass(/faded/);
  await expect(box(rack, "r1/pdu-a")).not.toHaveClass(/faded/);
  await expect(rack.locator(".cords path")).toHaveCount(2);
});

test("an unknown rack is said, not drawn", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/nowhere`);
  await expect(rack.locator(".trouble")).toContainText("nowhere");
});

test("the past is looked at and left again, and nothing can be done in it", async ({ rack }) => {
  await box(rack, "r1/u1").click();
  const slider = rack.getByLabel("time");
  await slider.focus();
  await rack.keyboard.press("ArrowLeft");
  await expect(rack).toHaveURL(/at=/);
  await expect(rack.getByText("As it was.")).toBeVisible();
  await expect(panel(rack).getByText("the drawing shows the past").first()).toBeVisible();
  await rack.getByRole("button", { name: "Back to live" }).click();
  await expect(rack).not.toHaveURL(/at=/);
  await expect(rack.getByText("As it was.")).toHaveCount(0);
});
