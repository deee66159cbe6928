import { afterEach, describe, expect, test } from "vitest";
import { type StoredTensor, memoryStore, safetensors } from "../../tests/checkpoint.ts";
import { random, rmsError, testGpu } from "../../tests/support.ts";
import { readWeight } from "../../tests/weight-formats.ts";
import type { Gpu } from "../gpu/device.ts";
import { tensorsOf, type Weight } from "../gpu/weight.ts";
import { openStore } from "../platform/store.ts";
import type { WritableWeight } from "./allocate-weight.ts";
import { type Checkpoint, type OpenOptions, openCheckpoint } from "./checkpoint.ts";
import { GpuWeights, type GpuWeightsOptions } from "./gpu-weights.ts";
import { fromBf16, fromF16, toBf16, toF16 } from "./half-floats.ts";
import type { Progress } from "./progress.ts";
import { resolveSource } from "./source.ts";
import { deleteStored, listStored } from "./stored-checkpoints.ts";

interface Made extends StoredTensor {
  /** The values of the stored bytes. */
  readonly values: Float32Array;
}

let seed = 0;
function make(dtype: "F32" | "F16" | "BF16", ...shape: number[]): Made {
  const numbers = random(
    shape.reduce((product, size) => product * size, 1),
    ++seed,
  );
  if (dtype === "F32")
    return { dtype, shape, data: new Uint8Array(numbers.buffer), values: numbers };
  const [to, from] = dtype === "F16" ? [toF16, fromF16] : [toBf16, fromBf16];
  const halves = Uint16Array.from(numbers, to);
  const values = Float32Array.from(halves, from);
  return { dtype, shape, data: new Uint8Array(halves.buffer), values };
}

const TENSORS = {
  "model.embed_tokens.weight": make("BF16", 50, 64),
  "model.layers.0.self_attn.q_proj.weight": make("BF16", 24, 64),
  "model.layers.0.self_attn.k_proj.weight": make("BF16", 8, 64),
  "model.layers.0.self_attn.v_proj.weight": make("BF16", 8, 64),
  "model.layers.0.input_layernorm.weight": make("BF16", 33),
  "model.layers.0.mlp.down_proj.weight": make("F16", 17, 32),
  "vision.patch_embedding.weight": make("F32", 12, 3, 4, 4),
  "vision.patch_embedding.bias": make("F32", 12),
  "vision.odd.bias": make("F16", 7),
  "vision.position_embedding.weight": make("BF16", 9, 20),
};
const COUNTS = { dtype: "I64", shape: [1], data: new Uint8Array(8) };

const file = (...patterns: RegExp[]) =>
  safetensors(
    Object.fromEntries(
      Object.entries(TENSORS).filter(([name]) => patterns.some((pattern) => pattern.test(name))),
    ),
  );

const FILES: Record<string, Uint8Array<ArrayBuffer> | object> = {
  "config.json": { model_type: "test" },
  "tokenizer.json": {},
  "tokenizer_config.json": { chat_template: "" },
  "model.safetensors": safetensors({ ...TENSORS, "vision.position_ids": COUNTS }),
};
const SHARDED = {
  ...FILES,
  "model.safetensors": undefined,
  "model.safetensors.index.json": {
    weight_map: Object.fromEntries(
      Object.keys(TENSORS).map((name) => [
        name,
        /^vision/.test(name) ? "b.safetensors" : "a.safetensors",
      ]),
    ),
  },
  "a.safetensors": file(/^model/),
  "b.safetensors": file(/^vision/),
};

/** A web server that has these files and answers range requests. */
function serve(files: Readonly<Record<string, unknown>>): typeof fetch {
  return async (input, init) => {
    const file = files[String(input).split("/").at(-1) as string];
    if (!file) return new Response("", { status: 404 });
    const bytes =
      file instanceof Uint8Array ? file : new TextEncoder().encode(JSON.stringify(file));
    const range = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get("range") ?? "");
    const headers = { etag: '"1"' };
    if (!range) return new Response(bytes as Uint8Array<ArrayBuffer>, { headers });
    const [begin, last] = [Number(range[1]), Number(range[2])];
    return new Response(bytes.slice(begin, last + 1) as Uint8Array<ArrayBuffer>, {
      status: 206,
      headers: { ...headers, "content-range": `bytes ${begin}-${last}/${bytes.length}` },
    });
  };
}

function open(files: object = FILES, options: OpenOptions = {}): Promise<Checkpoint> {
  const source = resolveSource("https://models.example/test");
  // Chunks whose borders are inside of rows and elements.
  const defaults = { chunkBytes: 1001, retries: 0 };
  return openCheckpoint(source, { ...defaults, fetch: serve({ ...files }), ...options });
}

/** @returns `[O, D]` of a matrix on the GPU */
function readMatrix(gpu: Gpu, weight: Weight): Promise<Float32Array> {
  expect(weight.slices).toHaveLength(1);
  return readWeight(gpu, weight as WritableWeight);
}

const valuesOf = (...names: (keyof typeof TENSORS)[]) =>
  Float32Array.from(names.flatMap((name) => [...TENSORS[name].values]));

let weights: GpuWeights | undefined;
afterEach(() => {
  weights?.dispose();
  weights = undefined;
});

async function gpuWeights(
  checkpoint: Checkpoint,
  options?: GpuWeightsOptions,
): Promise<{ gpu: Gpu; w: GpuWeights }> {
  const gpu = await testGpu();
  weights = new GpuWeights(gpu, checkpoint, options);
  return { gpu, w: weights };
}

describe("GpuWeights", () => {
  test.each([
    ["one file", FILES],
    ["shards", SHARDED],
  ])("fills every matrix and vector exactly, from %s", async (_, files) => {
    const checkpoint = await open(files);
    const { gpu, w } = await gpuWeights(checkpoint);
    const attention = w.under("model.layers.0").under("self_attn");
    const qkv = attention.matrix(["q_proj.weight", "k_proj.weight", "v_proj.weight"]);
    const down = w.matrix("model.layers.0.mlp.down_proj.weight");
    const patches = w.matrix("vision.patch_embedding.weight");
    const head = w.matrix("model.embed_tokens.weight");
    const norm = w.vector("model.layers.0.input_layernorm.weight");
    const biases = w.vector(["vision.odd.bias", "vision.patch_embedding.bias"]);
    const positions = w.vector("vision.position_embedding.weight");
    const key = attention.matrix("k_proj.weight");
    await w.load(checkpoint);

    expect(qkv).toMatchObject({ shape: [40, 64], format: { name: "bf16" } });
    expect(down).toMatchObject({ shape: [17, 32], format: { name: "f16" } });
    expect(patches).toMatchObject({ shape: [12, 48], format: { name: "f32" } });
    expect(biases.shape).toEqual([19]);
    expect(positions.shape).toEqual([9, 20]);
    const names = ["q", "k", "v"].map((n) => `model.layers.0.self_attn.${n}_proj.weight`);
    expect(await readMatrix(gpu, qkv)).toEqual(valuesOf(...(names as (keyof typeof TENSORS)[])));
    expect(await readMatrix(gpu, key)).toEqual(valuesOf(names[1] as keyof typeof TENSORS));
    expect(await readMatrix(gpu, down)).toEqual(valuesOf("model.layers.0.mlp.down_proj.weight"));
    expect(await readMatrix(gpu, patches)).toEqual(valuesOf("vision.patch_embedding.weight"));
    expect(await readMatrix(gpu, head)).toEqual(valuesOf("model.embed_tokens.weight"));
    expect(await gpu.read(norm)).toEqual(valuesOf("model.layers.0.input_layernorm.weight"));
    expect(await gpu.read(biases)).toEqual(
      valuesOf("vision.odd.bias", "vision.patch_embedding.bias"),
    );
    expect(await gpu.read(positions)).toEqual(valuesOf("vision.position_embedding.weight"));
  });

  test.each([
    ["f32", 1e-7],
    ["f16", 3e-4],
    ["q8", 0.0042],
    ["q6", 0.017],
    ["q4", 0.07],
  ] as const)("keeps matrices in %s when asked", async (quantization, most) => {
    const checkpoint = await open();
    const { gpu, w } = await gpuWeights(checkpoint, { quantization });
    const embed = w.matrix("model.embed_tokens.weight");
    const norm = w.vector("model.layers.0.input_layernorm.weight");
    await w.load(checkpoint);
    expect(embed.slices.map(({ format }) => format.name)).toEqual([quantization]);
    const error = rmsError(await readMatrix(gpu, embed), valuesOf("model.embed_tokens.weight"));
    expect(error).toBeLessThan(most);
    expect(await gpu.read(norm)).toEqual(valuesOf("model.layers.0.input_layernorm.weight"));
  });

  test("gives the same object for the same names, and allocates it once", async () => {
    const checkpoint = await open();
    const { gpu, w } = await gpuWeights(checkpoint);
    const embed = w.matrix("model.embed_tokens.weight");
    const norm = w.vector("model.layers.0.input_layernorm.weight");
    const { bytes } = gpu;
    expect(w.under("model").matrix("embed_tokens.weight")).toBe(embed);
    expect(w.under("model.layers.0").vector(["input_layernorm.weight"])).toBe(norm);
    expect(gpu.bytes).toBe(bytes);
    await w.load(checkpoint);
    // Further row buckets are recorded later.
    expect(w.matrix("model.embed_tokens.weight")).toBe(embed);
    w.dispose();
    expect(gpu.bytes).toBe(bytes - 50 * 64 * 2 - 33 * 4);
  });

  test("finds tensors by old and new names", async () => {
    const checkpoint = await open();
    const storedNames = (name: string) => [
      name,
      name.replace(/^language_model\.model\./, "model."),
    ];
    const { w } = await gpuWeights(checkpoint, { storedNames });
    expect(w.has("model.embed_tokens.weight")).toBe(true);
    expect(w.under("model").has("embed_tokens.weight")).toBe(true);
    expect(w.has("lm_head.weight")).toBe(false);
    const renamed = w.under("language_model.model");
    expect(renamed.has("embed_tokens.weight")).toBe(true);
    expect(renamed.matrix("embed_tokens.weight").shape).toEqual([50, 64]);
  });

  test.each<[string, (w: GpuWeights) => unknown, string]>([
    [
      "an unknown name",
      (w) => w.matrix("model.text_model.layers.0.self_attn.q_proj.weight"),
      "closest are: model.layers.0.self_attn.q_proj.weight",
    ],
    ["a vector as matrix", (w) => w.matrix("vision.odd.bias"), "expected two dimensions"],
    [
      "rows that differ",
      (w) => w.matrix(["model.embed_tokens.weight", "model.layers.0.mlp.down_proj.weight"]),
      "rows of different lengths can't be stacked: model.embed_tokens.weight [50,64]",
    ],
    ["integers", (w) => w.vector("vision.position_ids"), "vision.position_ids is I64"],
  ])("refuses %s", async (_, ask, message) => {
    const { w } = await gpuWeights(await open());
    expect(() => ask(w)).toThrow(message);
  });

  test("refuses tensors that it could not fill", async () => {
    const checkpoint = await open();
    const { w } = await gpuWeights(checkpoint);
    w.vector("vision.odd.bias");
    await w.load(checkpoint);
    expect(() => w.vector("vision.patch_embedding.bias")).toThrow("after the weights");
    await expect(w.load(checkpoint)).rejects.toThrow("were loaded");
    const other = new GpuWeights(await testGpu(), checkpoint);
    other.vector("vision.odd.bias");
    await expect(other.load({ stream: async function* () {} })).rejects.toThrow("0 rows of 7");
    other.dispose();
  });

  test("reports the bytes on the GPU, and those that came over the network", async () => {
    const store = memoryStore();
    for (const network of [true, false]) {
      const checkpoint = await open(FILES, { store });
      const { w } = await gpuWeights(checkpoint);
      w.matrix("model.embed_tokens.weight");
      w.vector("vision.odd.bias");
      const reports: Progress[] = [];
      await w.load(checkpoint, { onProgress: (progress) => reports.push(progress) });
      const totalBytes = 50 * 64 * 2 + 14;
      const none = { stage: "weights", loadedBytes: 0, totalBytes, networkBytes: 0 };
      expect(reports[0]).toEqual(none);
      const networkBytes = network ? totalBytes : 0;
      expect(reports.at(-1)).toEqual({ ...none, loadedBytes: totalBytes, networkBytes });
      reports.forEach(({ loadedBytes }, i) => {
        expect(loadedBytes).toBeGreaterThanOrEqual(reports[i - 1]?.loadedBytes ?? 0);
      });
      w.dispose();
    }
  });

  test("an aborted load can be repeated", async () => {
    const checkpoint = await open();
    const { gpu, w } = await gpuWeights(checkpoint);
    const embed = w.matrix("model.embed_tokens.weight");
    const controller = new AbortController();
    const loading = w.load(checkpoint, {
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => loadedBytes > 2000 && controller.abort("enough"),
    });
    await expect(loading).rejects.toBe("enough");
    await w.load(checkpoint);
    expect(await readMatrix(gpu, embed)).toEqual(valuesOf("model.embed_tokens.weight"));
  });

  test("is filled at the second load with what the first has packed and stored", async () => {
    const store = openStore("gpu-weights-test");
    if (!store) throw new Error("this browser has no IndexedDB");
    await deleteStored(store, "test");
    let first: ArrayBuffer[] | undefined;
    for (const network of [true, false]) {
      const offline: typeof fetch = () => Promise.reject(new TypeError("Failed to fetch"));
      const checkpoint = await open(SHARDED, network ? { store } : { store, fetch: offline });
      const { gpu, w } = await gpuWeights(checkpoint, { quantization: "q4" });
      const attention = w.under("model.layers.0.self_attn");
      const qkv = attention.matrix(["q_proj.weight", "k_proj.weight", "v_proj.weight"]);
      const embed = w.matrix("model.embed_tokens.weight");
      const biases = w.vector(["vision.odd.bias", "vision.patch_embedding.bias"]);
      const reports: Progress[] = [];
      await w.load(checkpoint, { onProgress: (progress) => reports.push(progress) });
      const tensors = [embed, qkv].flatMap((weight) => [...tensorsOf(weight)]);
      const bytes = await Promise.all([...tensors, biases].map((tensor) => gpu.readBytes(tensor)));
      first ??= bytes;
      expect(bytes).toEqual(first);
      const gpuBytes = bytes.reduce((sum, { byteLength }) => sum + byteLength, 0);
      if (!network) expect(reports.at(-1)?.totalBytes).toBe(gpuBytes);
      await w.store(checkpoint, new AbortController().signal);
      const [listed] = await listStored(store);
      const sizes = { storedBytes: gpuBytes, totalBytes: gpuBytes };
      expect(listed).toMatchObject({ id: "test", storedAs: ["q4"], ...sizes });
      w.dispose();
    }
    await deleteStored(store, "test");
    expect(await store.keys()).toEqual([]);
  });
});
