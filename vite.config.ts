import { defineConfig } from "vite";
import { minifyShaders } from "./scripts/minify-shaders.ts";

/** The demo page: `npm start` serves it, `npm run build:site` writes it to `dist/site`. */
export default defineConfig({
  base: "./",
  plugins: [minifyShaders()],
  worker: { format: "es", plugins: () => [minifyShaders()] },
  build: { target: "es2022", outDir: "dist/site" },
  optimizeDeps: {
    entries: "index.html",
    // Named, so that none is discovered late, which would reload the page: those of the library,
    // the demo page's, and what tests import in a browser.
    include: [
      "@huggingface/tokenizers",
      "@noble/hashes/sha2.js",
      "@noble/hashes/utils.js",
      "@preact/signals",
      "comlink",
      "eventsource-parser",
      "eventsource-parser/stream",
      "idb-keyval",
      "openai",
      "preact",
      "preact/hooks",
      "preact/jsx-dev-runtime",
      "zod/mini",
    ],
  },
});
