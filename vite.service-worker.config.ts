import { defineConfig } from "vite";

/**
 * The service worker's part of `dist/lib`: a module for an app's own worker, or with `--mode ready`
 * a whole worker in one script, to be registered as it is.
 */
export default defineConfig(({ mode }) => ({
  build: {
    target: "es2022",
    outDir: "dist/lib",
    emptyOutDir: false,
    copyPublicDir: false,
    lib:
      mode === "ready"
        ? {
            entry: "src/ready-service-worker.ts",
            formats: ["iife"],
            name: "webvlm",
            fileName: () => "webvlm-service-worker.js",
          }
        : { entry: "src/service-worker.ts", formats: ["es"], fileName: "service-worker" },
  },
}));
