#!/usr/bin/env node
import { main } from "./main.ts";

const code = await main(process.argv.slice(2));
// Output to a pipe may still be buffered.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise<void>((resolve) => stream.write("", () => resolve()));
}
process.exit(code);
