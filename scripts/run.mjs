// node scripts/run.mjs <file.ts> [arguments]: runs `main` of a TypeScript module, which Node 20
// cannot load by itself. What `main` resolves to is the exit code.
import { resolve } from "node:path";
import { runnerImport } from "vite";

const [file = "", ...args] = process.argv.slice(2);
const { module } = await runnerImport(resolve(file), { configFile: false, logLevel: "error" });
process.exit(await module.main(args));
