import { defineConfig } from "vite";

/** The command `webvlm` for Node, in `dist/cli`: all it needs but what is only there for Node. */
export default defineConfig({
  ssr: { noExternal: true, external: ["sharp", "webgpu"] },
  build: {
    target: "node20",
    outDir: "dist/cli",
    copyPublicDir: false,
    ssr: "src/cli/webvlm.ts",
    rolldownOptions: {
      output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    },
  },
});
