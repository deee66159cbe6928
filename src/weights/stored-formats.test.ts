import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { memoryStore, safetensors, type StoredTensor } from "../../tests/checkpoint.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { memoryGpu, readMemory } from "../../tests/memory-gpu.ts";
import { PACKED_MATRICES } from "../../tests/packed.ts";
import { folderFiles } from "../cli/folder-files.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Tensor } from "../gpu/tensor.ts";
import { ggufReader } from "../models/gguf/reader.ts";
import { createModel } from "../models/registry.ts";
import { assemble } from "../runtime/assemble.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { convertedFiles } from "./convert.ts";
import type { Folder } from "./folder.ts";
import { PACKED_FORMATS } from "./formats/packed.ts";
import { GpuWeights } from "./gpu-weights.ts";
import { type OpenFolderOptions, openFolder } from "./open-folder.ts";
import { listStored } from "./stored-checkpoints.ts";

const ROOT = join(import.meta.dirname, "../..");
const packedFormats = async () => PACKED_FORMATS;
const signal = new AbortController().signal;

/** A folder of these files. */
function folderOf(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>): Folder {
  const tagged = (name: string, content = files[name]!) => ({
    tag: "1",
    bytes: files[name]!.length,
    content,
  });
  return {
    id: "packed",
    listing: { files: new Map(Object.keys(files).map((name) => [name, { tag: "1" }])) },
    read: async (name) => tagged(name),
    readRange: async (name, begin, end) => tagged(name, files[name]!.slice(begin, end)),
    missing: (name) => new Error(`no ${name}`),
  };
}

interface Loaded {
  readonly gpu: Gpu;
  readonly checkpoint: Checkpoint;
  readonly weights: GpuWeights;
  /** Of everything on the GPU that was filled. */
  readonly hash: string;
  readonly gpuBytes: number;
  readonly packs: number;
  readonly readBytes: number;
  /** The checkpoint's own files that were read. */
  readonly files: readonly string[];
}

/** Loads what `record` asks for. */
async function load(
  checkpoint: Checkpoint,
  record: (gpu: Gpu) => Promise<GpuWeights>,
): Promise<Loaded> {
  const dispatches = { count: 0 };
  const gpu = memoryGpu(dispatches);
  const weights = await record(gpu);
  let readBytes = 0;
  const files = new Set<string>();
  await weights.load({
    ...checkpoint,
    async *stream(options) {
      for await (const piece of checkpoint.stream(options)) {
        readBytes += piece.bytes.length;
        if (!piece.file.startsWith("packed:")) files.add(piece.file);
        yield piece;
      }
    },
  });
  const owned = new Set<Tensor>();
  for (const { packed } of weights.fills)
    for (const { tensor } of packed.parts.flat()) owned.add(tensor);
  const hash = createHash("sha256");
  let gpuBytes = 0;
  for (const tensor of owned) {
    hash.update(readMemory(tensor));
    gpuBytes += readMemory(tensor).length;
  }
  const counted = { packs: dispatches.count, readBytes, files: [...files] };
  return { gpu, checkpoint, weights, hash: hash.digest("hex"), gpuBytes, ...counted };
}

/** Loads, stores and loads again; converts, and loads that. */
async function loadAgain(
  files: Folder,
  options: OpenFolderOptions,
  record: (checkpoint: Checkpoint, gpu: Gpu) => Promise<GpuWeights>,
  keepsFiles = false,
) {
  const store = memoryStore();
  const packed = { store, folder: "file:///packed/", commit: "abc", keepsFiles };
  const opening = { ...options, packed };
  const open = () => openFolder(files, opening);
  const checkpoint = await open();
  const first = await load(checkpoint, (gpu) => record(checkpoint, gpu));
  await first.weights.store(checkpoint, signal);
  const again = await open();
  const second = await load(again, (gpu) => record(again, gpu));
  const written: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (const { name, read } of convertedFiles(first.gpu, checkpoint, first.weights.fills, "q8")) {
    const pieces: Uint8Array[] = [];
    for await (const piece of read(signal)) pieces.push(piece.slice());
    written[name] = new Uint8Array(Buffer.concat(pieces));
  }
  const converted = await openFolder(folderOf(written), { packedFormats });
  const third = await load(converted, (gpu) => record(converted, gpu));
  return { first, second, third, store };
}

/** What later starts must be: byte for byte what is on the GPU. */
function expectOnlyCopied({ first, second, third }: Awaited<ReturnType<typeof loadAgain>>): void {
  expect(second).toMatchObject({ packs: 0, files: [], readBytes: first.gpuBytes });
  expect([second.hash, third.hash, third.packs]).toEqual([first.hash, first.hash, 0]);
  expect(third.checkpoint.weightBytes).toBe(first.gpuBytes);
}

/** Loads a packed matrix again, beside a vector, and a matrix in bf16 that a kernel packs. */
function loadMatrixAgain(
  { name, shape, config, tensors }: (typeof PACKED_MATRICES)[number],
  keepsFiles?: boolean,
) {
  const matrix = Object.entries(tensors).map(([key, { data, ...tensor }]) => {
    return [key, { ...tensor, data: Buffer.from(data, "base64") }] as const;
  });
  // The vector's place in the file is at odds with words.
  const others: Record<string, StoredTensor> = {
    "odd.bias": { dtype: "BF16", shape: [3], data: new Uint8Array(6).fill(60) },
    "tower.weight": { dtype: "BF16", shape: [4, 64], data: new Uint8Array(512).fill(61) },
  };
  const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  const files = folderOf({
    "config.json": json({ model_type: "test", ...config }),
    "tokenizer.json": json({}),
    "model.safetensors": safetensors({ ...others, ...Object.fromEntries(matrix) }),
  });
  const record = async (checkpoint: Checkpoint, gpu: Gpu) => {
    const weights = new GpuWeights(gpu, checkpoint, { quantization: "q8" });
    weights.matrix(name, shape[1]);
    weights.matrix("tower.weight");
    weights.vector("odd.bias");
    return weights;
  };
  return loadAgain(files, { packedFormats }, record, keepsFiles);
}

test.each([
  ["mlx-qwen2_5_vl-4bit:", "q8"],
  ["fp8-qwen3_vl-block", "q8"],
  ["compressed-qwen3_vl", "q8"],
  // Transposed, which takes long.
  ["awq", "int q8"],
  ["gptq-qwen2_vl:", "int q8"],
])("%s: beside files that stay, only %s is stored", async (title, formats) => {
  const matrix = PACKED_MATRICES.find((one) => one.title.startsWith(title)) ?? expect.fail();
  const { first, second, store } = await loadMatrixAgain(matrix, true);
  expect([second.hash, second.packs]).toEqual([first.hash, 0]);
  const [listed] = await listStored(store);
  expect(listed?.storedAs.toSorted().join(" ")).toBe(formats);
  const isCopied = formats.includes("int");
  expect(second.files).toEqual(isCopied ? [] : ["model.safetensors"]);
});

describe("what was stored or converted is read as it lies on the GPU", () => {
  const titles = PACKED_MATRICES.map(({ title }, i) => [title, i] as const);
  test.each(titles)("%s", async (_, i) => {
    const loaded = await loadMatrixAgain(PACKED_MATRICES[i]!);
    expect(loaded.first.packs).toBe(1);
    expectOnlyCopied(loaded);
    const [listed] = await listStored(loaded.store);
    const format = loaded.first.weights.fills[0]!.packed.format!;
    expect(listed).toMatchObject({ storedBytes: loaded.first.gpuBytes });
    expect(listed?.storedAs.toSorted()).toEqual([format.name, "q8"].toSorted());
  });

  test.each(["smolvlm", "qwen2_5_vl-every"])("GGUF: %s", async (name) => {
    const files = await folderFiles(join(ROOT, UNPACKED, "gguf", name), name);
    const loaded = await loadAgain(
      files,
      { gguf: async () => ggufReader },
      async (checkpoint, gpu) => {
        const { weights, engine } = assemble(createModel, gpu, checkpoint, { contextLength: 64 });
        await engine.prepare();
        return weights;
      },
    );
    expectOnlyCopied(loaded);
  });
});
