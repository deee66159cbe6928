import { defineConfig } from "vite";
import { minifyScript } from "./scripts/minify-script.ts";
import { minifyShaders } from "./scripts/minify-shaders.ts";

/**
 * The library: one ES module in `dist/lib` that any page can import as it is, its worker inlined. What
 * only some requests need is in files beside it, which the page imports when a request needs them.
 */
export default defineConfig({
  plugins: [minifyShaders(), minifyScript()],
  worker: {
    format: "es",
    plugins: () => [minifyShaders(), minifyScript()],
    // No bundler looks into the worker, which is a string by then.
    rolldownOptions: { output: { comments: { annotation: false } } },
  },
  build: {
    target: "es2022",
    outDir: "dist/lib",
    copyPublicDir: false,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "webvlm" },
    // Without this, Vite keeps the white space of ES libraries.
    rolldownOptions: { output: { minify: true, chunkFileNames: "webvlm-[name].js" } },
  },
});
