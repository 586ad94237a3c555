// A real daemon with an emulated rack, as its user has it: started, spoken to by the command line, stopped.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { test as base, expect, type Page } from "@playwright/test";

const { CONSOLE_BUSBAR = "busbar", CONSOLE_SCRATCH = "test-results", CONSOLE_PORT = "27600" } = process.env;
/** Milliseconds for a daemon on a busy machine to find its rack. */
const PATIENCE = 120_000;

export class Daemon {
  readonly folder = resolve(CONSOLE_SCRATCH, "busbar");
  readonly url = `https://127.0.0.1:${CONSOLE_PORT}`;
  private child: ChildProcess | null = null;

  constructor() {
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
  }

  private get env() {
    return { ...process.env, BUSBAR_STATE: `${this.folder}/state`, BUSBAR_CONTEXT: `${this.folder}/context.json` };
  }

  async start() {
    const log = openSync(`${this.folder}/log`, "a");
    const up = ["up", "--emulate", "--speed", "50", "--listen", `127.0.0.1:${CONSOLE_PORT}`];
    this.child = spawn(CONSOLE_BUSBAR, up, { env: this.env, stdio: ["ignore", log, log] });
    closeSync(log);
    const end = Date.now() + PATIENCE;
    for (;;) {
      try {
        const nodes = JSON.parse(this.cli("ls", "--json")) as unknown[];
        if (nodes.length >= 10 && this.cli("image", "ls").includes("demo")) return;
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      if (Date.now() > end) throw new Error("the emulated rack is not found");
      await new Promise((then) => setTimeout(then, 300));
    }
  }

  /** Ends it at once, as a crash would. */
  async kill() {
    const { child } = this;
    if (!child) return;
    this.child = null;
    const gone = new Promise((then) => child.once("exit", then));
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await gone;
  }

  /** Holds it still, or lets it go on: a link that is lost, and comes back. */
  hold(still: boolean) {
    this.child?.kill(still ? "SIGSTOP" : "SIGCONT");
  }

  cli(...args: string[]): string {
    return execFileSync(CONSOLE_BUSBAR, args, { env: this.env, encoding: "utf8", timeout: 60_000, stdio: "pipe" });
  }

  /** The link that logs in. */
  link(): string {
    const said = this.cli("token", "show-context", "--link");
    const [link] = said.match(/https?:\/\/\S+\/login\?token=\S+/) ?? [];
    if (!link) throw new Error("no link in what the command line said");
    return link;
  }
}

export const test = base.extend<{ rack: Page }, { daemon: Daemon }>({
  daemon: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the parameter's pattern
    async ({}, use) => {
      const daemon = new Daemon();
      await daemon.start();
      await use(daemon);
      await daemon.kill();
    },
    { scope: "worker", timeout: PATIENCE + 30_000 },
  ],
  /** A page that is logged in and shows the rack. */
  rack: async ({ page, daemon }, use) => {
    const wrong: string[] = [];
    page.on("pageerror", (error) => wrong.push(`${error}`));
    page.on("console", (message) => {
      // the browser itself tells of answers that it was refused, and of links that it lost
      const network = message.text().startsWith("Failed to load resource");
      if (message.type() === "error" && !network) wrong.push(message.text());
    });
    await page.goto(daemon.link());
    await expect(box(page, "r1/u1")).toBeVisible();
    await use(page);
    expect(wrong, "errors in the page").toEqual([]);
  },
});

export const box = (page: Page, place: string) => page.locator(`.stage [data-place="${place}"]`);
export const panel = (page: Page) => page.locator(".panel");
export { expect };
