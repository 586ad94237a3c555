// What axe-core finds wrong with a page, which must be nothing.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

export const clean = async (page: Page, what: string) => {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  expect(told, what).toEqual([]);
};
