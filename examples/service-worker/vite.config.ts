import { defineConfig } from "vite";

export default defineConfig({
  publicDir: "../../public", // The sample model. A model of the Hugging Face Hub doesn't need this.
  build: {
    rolldownOptions: {
      input: ["index.html", "frame.html", "service-worker.ts"],
      output: {
        // A service worker controls the pages below its own folder, and its name must not change.
        entryFileNames: ({ name }) =>
          name === "service-worker" ? "[name].js" : "assets/[name]-[hash].js",
      },
    },
  },
});
