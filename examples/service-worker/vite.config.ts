import { defineConfig } from "vite";

export default defineConfig({
  publicDir: "../../public", // The sample model. One of the Hugging Face Hub needs none of this.
  build: {
    rolldownOptions: {
      input: ["index.html", "frame.html", "service-worker.ts"],
      output: {
        // A service worker is in charge of what lies beside it, and keeps its name when it changes.
        entryFileNames: ({ name }) =>
          name === "service-worker" ? "[name].js" : "assets/[name]-[hash].js",
      },
    },
  },
});
