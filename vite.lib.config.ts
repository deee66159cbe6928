import { defineConfig } from "vite";

/** The library: one ES module in `dist/lib` that any page can import as it is, its worker inlined. */
export default defineConfig({
  worker: { format: "es" },
  build: {
    target: "es2022",
    outDir: "dist/lib",
    copyPublicDir: false,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: "webvlm" },
  },
});
