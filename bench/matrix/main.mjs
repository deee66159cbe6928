// node bench/matrix/main.mjs [part of a matrix's name]
import { runnerImport } from "vite";

const { module } = await runnerImport(new URL("./bench.ts", import.meta.url).pathname);
await module.benchMatrix(process.argv[2]);
