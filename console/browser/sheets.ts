// The pages other than Rack, for the tests that look at each: one line a page. What is special to a page, its own file tests.

import { expect, type Page } from "@playwright/test";

export interface Sheet {
  path: string;
  /** Waits until it shows what it is for. */
  ready: (page: Page) => Promise<void>;
}

/** A page whose heading is there, and which waits for nothing any more. */
export const headed = (path: string, heading: string | RegExp): Sheet => ({
  path,
  ready: async (page) => {
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await expect(page.locator("[aria-busy='true']")).toHaveCount(0);
  },
});

export const SHEETS: Sheet[] = [
  headed("/machines", /machine/i),
  headed("/run", /^Run a machine/),
  headed("/power/r1", "Power of r1"),
  headed("/lab", /broken/),
  headed("/cooling", /warmest inlet/i),
  headed("/pools", /servers? (is|are) free/),
  headed("/images", /images? in/),
  headed("/capacity", /next machine/),
  headed("/events", /in the last day/),
  headed("/audit", /in the last day/i),
];
