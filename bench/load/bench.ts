import { readFileSync } from "node:fs";
import { join } from "node:path";
import { WHOLE_MODELS } from "../../tests/families.ts";
import { startHub } from "../../tests/hub-server.ts";
import { withPage } from "../open-page.ts";
import { peakHeap } from "../peak-heap.ts";
import type * as load from "./page.ts";

declare global {
  interface Window {
    readonly load: typeof load;
  }
}

/** A model of 1 GB in bf16. */
const NAME = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct";
const SAMPLE = join(import.meta.dirname, "..", "..", "public", "models", "sample");

const MIB = 2 ** 20;

const ROUNDS = 4;

/**
 * Loads a model of 1 GB with random weights from a local server that behaves like the hub, and loads it
 * again from the store, in the product's own worker. Prints what each start fetches, stores and reads, the
 * peak of the heaps with their buffers, the time of each stage, and the speed at which a second start takes
 * the weights, as a share of the store's own. What is read was written before, so both come from memory as
 * far as the system keeps it.
 */
export async function benchLoad(): Promise<void> {
  const hub = await startHub({ [NAME]: randomRepository() });
  try {
    // The server hashes its files with the first request.
    await fetch(`${hub.url}/api/models/${NAME}/revision/main`);
    await fetch(`${hub.url}/${NAME}/resolve/main/model.safetensors`, { method: "HEAD" });
    await withPage("bench/load/index.html", "load", async (page) => {
      const start = () =>
        page.evaluate(([name, hub]) => window.load.measureLoad(name, hub), [
          NAME,
          hub.url,
        ] as const);
      let keys: readonly string[] = [];
      for (const title of ["first start", "second start"]) {
        const measured = start();
        const [result, heapBytes] = await Promise.all([measured, peakHeap(page, measured)]);
        console.log(report(title, result, heapBytes));
        keys = result.keys;
      }
      // The heap is not watched now, and the store takes turns with the load.
      let [loaded, alone] = [0, 0];
      for (let round = 0; round < ROUNDS; round++) {
        alone = Math.max(alone, await page.evaluate((all) => window.load.measureStore(all), keys));
        const { readBytes, stages } = await start();
        loaded = Math.max(loaded, readBytes / (stages.weights as number));
      }
      console.log(`fastest of ${ROUNDS} rounds`);
      console.log(`  store alone   ${speed(alone)}`);
      console.log(
        `  second start  ${speed(loaded)}, ${((loaded / alone) * 100).toFixed(0)} % of it`,
      );
    });
  } finally {
    await hub.close();
  }
}

function report(title: string, result: load.LoadResult, heapBytes: number): string {
  const lines = [
    ["fetched", mib(result.fetchedBytes)],
    ["stored", mib(result.storedBytes)],
    ["read", mib(result.readBytes)],
    ["peak heap", mib(heapBytes)],
    ...Object.entries(result.stages).map(([stage, ms]) => [stage, `${(ms / 1000).toFixed(2)} s`]),
  ];
  return [title, ...lines.map(([name = "", value = ""]) => `  ${name.padEnd(12)}${value}`)].join(
    "\n",
  );
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;
/** @param bytesPerMs bytes per millisecond */
const speed = (bytesPerMs: number): string => `${((bytesPerMs * 1000) / MIB).toFixed(0)} MiB/s`;

/** The files of a repository with the model's shapes, the sample model's tokenizer and random weights. */
function randomRepository(): Record<string, Uint8Array> {
  const shape = WHOLE_MODELS[NAME]!();
  const { image_token_id } = shape.files["config.json"] as { image_token_id: number };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const tokenizer = JSON.parse(readFileSync(join(SAMPLE, "tokenizer.json"), "utf8")) as {
    added_tokens: { id: number; content: string }[];
  };
  for (const token of tokenizer.added_tokens) {
    if (token.content === "<image>") token.id = image_token_id;
  }
  let end = 0;
  const header: Record<string, object> = {};
  for (const [name, dims] of shape.tensors) {
    const begin = end;
    end += dims.reduce((product, size) => product * size, 2);
    header[name] = { dtype: "BF16", shape: dims, data_offsets: [begin, end] };
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (text.length % 8)) % 8);
  const file = new Uint8Array(8 + text.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  new TextEncoder().encodeInto(text, file.subarray(8));
  const values = new Uint16Array(file.buffer, 8 + text.length, end / 2);
  // Values of about ±0.03, with any mantissa and sign, which repeat after an odd number.
  const pattern = Uint16Array.from(
    { length: (1 << 20) + 1 },
    (_, i) => 0x3c80 ^ ((Math.imul(i, 0x9e3779b1) >>> 16) & 0x81ff),
  );
  for (let i = 0; i < values.length; i += pattern.length) {
    values.set(pattern.subarray(0, values.length - i), i);
  }
  return {
    ...Object.fromEntries(
      Object.entries(shape.files).map(([name, value]) => [name, json(value)] as const),
    ),
    "tokenizer.json": json(tokenizer),
    "tokenizer_config.json": readFileSync(join(SAMPLE, "tokenizer_config.json")),
    "chat_template.jinja": readFileSync(join(SAMPLE, "chat_template.jinja")),
    "model.safetensors": file,
  };
}
