import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  publicDir: "../../public", // The sample model. One of the Hugging Face Hub needs none of this.
});
