import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  publicDir: "../../public", // The sample model. A model of the Hugging Face Hub doesn't need this.
});
