import { dts } from "rollup-plugin-dts";

/** The library's types in `dist/lib`: one file an entry that imports nothing. */
export default {
  input: { webvlm: "src/index.ts", "service-worker": "src/service-worker.ts" },
  plugins: [dts()],
  output: { dir: "dist/lib" },
};
