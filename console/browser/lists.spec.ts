import { writeFileSync } from "node:fs";
import { expect, test } from "./daemon";

// Events, Audit, Pools, Images, Capacity: what each is for, with what the daemon really does.

test("what happens is seen at once, filtered by the address, and leads back to the order that began it", async ({
  rack,
  daemon,
}) => {
  await rack.goto(`${daemon.url}/events?about=web-9`);
  await expect(rack.getByText("Nothing of that kind happened")).toBeVisible();
  daemon.cli("run", "demo", "--name", "web-9", "--on", "r1/u9");
  const run = rack.getByRole("row", { name: /web-9 run demo, on r1\/u9/ });
  await expect(run).toBeVisible();
  await expect(rack.getByRole("row", { name: /r1\/u9 discovered/ })).toHaveCount(0);
  // the box was written to because of the machine, which was run by somebody
  await rack.goto(`${daemon.url}/events?about=r1/u9&level=audit&text=pxe`);
  await rack
    .getByRole("link", { name: /chain of r1\/u9: next boot Pxe/ })
    .first()
    .click();
  const chain = rack.getByRole("list", { name: "chain of causes" });
  await expect(chain.getByRole("listitem").first()).toContainText(/web-9 (run demo|booting)/);
  await expect(chain.locator("[aria-current='true']")).toContainText("next boot Pxe");
  expect(rack.url()).toMatch(/event=\d+/);
});

test("a token's secret is shown once, and a revoked one is gone", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/audit`);
  await rack.getByLabel("name").fill("probe");
  await rack.getByRole("button", { name: "Make token" }).click();
  const secret = await rack.getByRole("dialog").locator(".secret").textContent();
  expect(secret).toMatch(/^busbar_/);
  await rack.getByRole("button", { name: "It is kept" }).click();
  await expect(rack.getByText(secret ?? "")).toHaveCount(0);
  await expect(rack.getByRole("row", { name: /token probe made, Reader/ })).toBeVisible();
  // the last token that may do everything stays
  await expect(rack.locator(".acts li", { hasText: "revoke admin" }).getByRole("button")).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await rack.locator(".acts li", { hasText: "revoke probe" }).getByRole("button").click();
  await rack.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(rack.getByRole("row", { name: /^probe reader/ })).toHaveCount(0);
});

test("a box that is cordoned doesn't count, says why, and is put back from the page", async ({ rack, daemon }) => {
  await rack.goto(`${daemon.url}/pools`);
  const servers = rack.getByRole("row", { name: /^servers/ });
  await expect(servers).toBeVisible();
  const before = (await servers.textContent()) ?? "";
  daemon.cli("cordon", "r1/u6", "--why", "fan is being swapped");
  await expect(rack.getByRole("row", { name: "r1/u6 cordoned: fan is being swapped" })).toBeVisible();
  await expect(servers).not.toHaveText(before);
  await rack.locator(".acts li", { hasText: "uncordon r1/u6" }).getByRole("button").click();
  await expect(rack.getByRole("row", { name: /r1\/u6 cordoned/ })).toHaveCount(0);
  await expect(servers).toHaveText(before);
});

test("an image is added from the daemon's own disk and removed; what can't be read is said", async ({
  rack,
  daemon,
}) => {
  await rack.goto(`${daemon.url}/images`);
  const add = async (name: string, source: string) => {
    await rack.getByLabel("source").fill(source);
    await rack.getByLabel("name").fill(name);
    await rack.getByRole("button", { name: "Add image" }).click();
  };
  await add("other", "/nowhere/disk.raw");
  await expect(rack.getByRole("status")).toContainText("/nowhere/disk.raw");
  const file = `${daemon.folder}/disk.raw`;
  // only its bytes matter here: nothing boots from it
  writeFileSync(file, Buffer.alloc(4 << 20, "busbar"));
  await add("other", file);
  await expect(rack.getByText("Added: other")).toBeVisible();
  await expect(rack.getByRole("row", { name: /^other/ })).toBeVisible();
  await rack.locator(".acts li", { hasText: "image rm other" }).getByRole("button").click();
  await rack.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(rack.getByRole("row", { name: /^other/ })).toHaveCount(0);
});

test("capacity tells the numbers of `busbar free`, and cooling sorts by the address", async ({ rack, daemon }) => {
  const { rows } = JSON.parse(daemon.cli("free", "--json")) as { rows: { resource: string; total: number }[] };
  await rack.goto(`${daemon.url}/capacity`);
  const cores = rows.find(({ resource }) => resource === "cores");
  await expect(rack.getByRole("row", { name: new RegExp(`^cores ${cores?.total} `) })).toBeVisible();
  await expect(rack.getByRole("row", { name: /^cooling not known not known/ })).toBeVisible();
  await rack.goto(`${daemon.url}/cooling`);
  await rack.getByRole("columnheader", { name: "inlet", exact: true }).getByRole("link").click();
  await expect(rack).toHaveURL(/sort=inlet/);
  await expect(rack.getByRole("columnheader", { name: /^inlet/ })).toHaveAttribute("aria-sort", "descending");
});
