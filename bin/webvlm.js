#!/usr/bin/env node
// Committed, so that npm can link the command before anything is built.
import { existsSync } from "node:fs";

const command = new URL("../dist/cli/webvlm.js", import.meta.url);
if (!existsSync(command)) {
  console.error("webvlm is not built yet. In its folder, run: npm install && npm run build");
  process.exit(1);
}
await import(command.href);
