import { defineConfig } from "vitest/config";
import solid from "vite-plugin-solid";

// The daemon's Content-Security-Policy takes scripts and styles from itself alone, as files: nothing may be inlined.
export default defineConfig({
  plugins: [solid()],
  build: {
    target: "es2023",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: { include: ["src/**/*.test.ts"], environment: "node", css: { include: /.+/ } },
});
