import solid from "vite-plugin-solid";
import { defineConfig } from "vitest/config";

// `npm run dev` shows this folder as it is edited, with the API of a daemon that runs beside it.
const daemon = process.env.BUSBAR_URL ?? "https://127.0.0.1:7400";
const pass = { target: daemon, secure: false, changeOrigin: true, headers: { origin: daemon } };
const proxy = { "/v1": pass, "/login": pass, "/logout": pass };

// The daemon's Content-Security-Policy takes scripts and styles from itself alone, as files: nothing may be inlined.
export default defineConfig({
  plugins: [solid()],
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    // what is bundled keeps the words that its licence asks for
    license: { fileName: "licences.md" },
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy },
  preview: { proxy },
  test: { include: ["src/**/*.test.ts"], environment: "node", css: { include: /.+/ } },
});
