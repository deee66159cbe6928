import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openModel } from "../../src/cli/open-model.ts";
import { openGpu } from "../../src/gpu/device.ts";
import { loadShaders } from "../../src/gpu/shaders/load-shaders.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import { PACKED_TABLE, askPacked } from "../../tests/packed-table.ts";
import { ROOT } from "../root.ts";

// A process of its own asks, because Dawn finds its driver by the environment. It asks before `main`, since
// Vite's loader, which the optional packages need, ends there.
const { requestAdapter, decodeImage } = nodePlatform;
const gpu = await openGpu(await requestAdapter(), loadShaders);
for (const row of PACKED_TABLE) {
  const { expected, ids } = await askPacked(gpu, row, {
    open: (path) => openModel(join(ROOT, path)),
    bytes: async (path) => new Blob([await readFile(join(ROOT, path))]),
    decode: decodeImage,
  });
  console.log(JSON.stringify([row.name, ids, expected]));
}

/** Every checkpoint of the table was asked, and a line of JSON printed: `[name, ids, expected ids]`. */
export const main = (): number => 0;
