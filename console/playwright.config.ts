import { defineConfig } from "@playwright/test";

// `cargo xtask console` says where everything is: the binary, a scratch folder, a free port, and Debian's Chromium.
const { CONSOLE_CHROMIUM, CONSOLE_SCRATCH = "test-results" } = process.env;

export default defineConfig({
  testDir: "browser",
  outputDir: `${CONSOLE_SCRATCH}/playwright`,
  // one daemon, one rack: what one test does to it, another would see
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [["list"]],
  use: {
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 800 },
    trace: "retain-on-failure",
    launchOptions: {
      ...(CONSOLE_CHROMIUM && { executablePath: CONSOLE_CHROMIUM }),
      args: ["--no-sandbox", "--disable-gpu"],
    },
  },
});
