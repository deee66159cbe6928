import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readJson } from "../../tests/chat-support.ts";
import { FOLDERS } from "../../tests/families.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { openModel } from "../cli/open-model.ts";
import { elementCount } from "../gpu/tensor.ts";
import { createModel } from "../models/registry.ts";
import { type QuantizationName, QUANTIZATIONS } from "../weights/formats/registry.ts";
import { assemble } from "./assemble.ts";
import { countingGpu } from "./counting-device.ts";
import { PLAN_PARTS, planCheckpoint } from "./plan-checkpoint.ts";

const golden = (name: string) => openModel(join(import.meta.dirname, "../..", UNPACKED, name));

test.each(FOLDERS)("%s", async (name) => {
  const checkpoint = await golden(name);
  const plan = await planCheckpoint(createModel, checkpoint, { contextLength: 512 });
  expect(plan.contextLength).toBe(512);

  expect(plan.downloadBytes).toBe(checkpoint.weightBytes);
  const disk = PLAN_PARTS.map((part) => plan.disk[part].bytes);
  expect(disk.reduce((sum, bytes) => sum + bytes, 0)).toBe(checkpoint.weightBytes);
  expect(Math.min(...disk)).toBeGreaterThan(0);

  for (const format of QUANTIZATIONS) {
    const { weights, kvCache, images, buffers, total } = plan.gpu[format];
    const parts = PLAN_PARTS.reduce((sum, part) => sum + weights[part], 0);
    expect(parts + kvCache + images + buffers).toBe(total);
    expect(Math.min(...Object.values(weights), images, buffers)).toBeGreaterThan(0);
    expect(kvCache).toBe(512 * plan.kvBytesPerToken);
    const cost = plan.decode[format];
    expect(cost.kvBytes).toBe(1000 * plan.kvBytesPerToken);
    expect(cost.bytes).toBe(cost.weightBytes + cost.kvBytes);
    // Every weight of the text model, and embeddings and head at most once.
    expect(cost.weightBytes).toBeGreaterThan(weights.text);
    expect(cost.weightBytes).toBeLessThan(weights.text + 1.01 * weights.embedding);
  }
  // In f32 a parameter takes four bytes, and a small checkpoint has no unused parameters.
  const { weights } = plan.gpu.f32;
  expect(weights.text).toBe(4 * plan.disk.text.parameters);
  const sizes = QUANTIZATIONS.slice(0, 4).map((format) => plan.gpu[format].total);
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  // These checkpoints are small and bf16. "auto" keeps their 16 bits.
  expect(plan.gpu.auto).toEqual(plan.gpu.f16);
});

test("a dtype that is not known may be of a tensor that nothing reads", async () => {
  const checkpoint = await golden("smolvlm");
  const plan = await planCheckpoint(createModel, checkpoint);
  const name = "model.connector.modality_projection.proj.weight";
  const info = checkpoint.tensors.get(name) ?? expect.fail();
  const add = (other: string) =>
    planCheckpoint(createModel, {
      ...checkpoint,
      tensors: new Map([...checkpoint.tensors, [other, { ...info, dtype: "F4" }]]),
    });
  expect((await add("model.connector.scales")).gpu).toEqual(plan.gpu);
  await expect(add(name)).rejects.toThrow(`${name} is F4, expected one of F32, F16, BF16`);
});

type Names = Readonly<Record<string, readonly [saved: string, parameter: string]>>;

/** Names of tensors by those of the modules' parameters, besides the names that `layouts.gpu.test.ts` runs. */
const ORDERS: [what: string, folders: readonly string[], order: (parameter: string) => string][] = [
  [
    "names of transformers 4.52 to 4.57, with a model inside the tower",
    ["gemma3", "paligemma", "paligemma2", "llava", "llava_onevision"],
    (parameter) => parameter.replace(/^model\.vision_tower\./, "$&vision_model."),
  ],
  ["names of the model without its head", FOLDERS, (name) => name.replace(/^model\./, "")],
];

describe.each(ORDERS)("%s", (_, folders, order) => {
  test.each(folders)("%s", async (folder) => {
    const checkpoint = await golden(folder);
    const names = readJson(`e2e/goldens/${folder}/newer/names.json`) as Names;
    const tensors = new Map(
      Array.from(checkpoint.tensors, ([name, info]) => {
        const [, parameter] = names[name] ?? expect.fail(`names.json lacks ${name}`);
        return [order(parameter), info];
      }),
    );
    expect(tensors.size).toBe(checkpoint.tensors.size);
    const { gpu } = await planCheckpoint(createModel, { ...checkpoint, tensors });
    expect(gpu.f32).toEqual((await planCheckpoint(createModel, checkpoint)).gpu.f32);
  });
});

test.each(FOLDERS)(
  "%s: a head that the file has is used, whatever config.json says of tied weights",
  async (folder) => {
    const checkpoint = await golden(folder);
    const { text_config, ...config } = checkpoint.files["config.json"] as { text_config?: object };
    const isHead = (name: string) => name.includes("lm_head");
    const tensors = [...checkpoint.tensors].filter(([name]) => !isHead(name));
    const [, embeddings] = tensors.find(([name]) => name.includes("embed_tokens")) ?? expect.fail();
    const head = [...checkpoint.tensors].find(([name]) => isHead(name));
    const weightBytes = async (ofRoot: boolean, ofText: boolean, heads: typeof tensors) => {
      const tied = {
        ...config,
        tie_word_embeddings: ofRoot,
        ...(text_config && { text_config: { ...text_config, tie_word_embeddings: ofText } }),
      };
      const files = { ...checkpoint.files, "config.json": tied };
      const changed = { ...checkpoint, files, tensors: new Map([...tensors, ...heads]) };
      const options = { quantization: "f32", contextLength: 64 } as const;
      const { engine, weights } = assemble(createModel, countingGpu(), changed, options);
      await engine.prepare();
      return weights.allocated.reduce((sum, { bytes }) => sum + bytes, 0);
    };
    const stored: typeof tensors = [head ?? ["lm_head.weight", embeddings]];
    const alone = await weightBytes(true, true, []);
    const bytes = 4 * elementCount((head?.[1] ?? embeddings).shape);
    for (const [ofRoot, ofText] of [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ] as const) {
      expect(await weightBytes(ofRoot, ofText, stored)).toBe(alone + bytes);
    }
  },
);

test.each([
  [{ quantization_config: { quant_method: "awq" } }, "(awq): load the repository"],
  [
    { quantization_config: { quant_method: "awq", version: "gemv", bits: 4 } },
    "(awq, gemv, 4 bits):",
  ],
  [{ quantization_config: { quant_method: "mxfp4" } }, "(mxfp4): load the repository"],
  [{ quantization: { bits: 4, group_size: 64 } }, "(mlx, 4 bits): load the repository"],
])("a quantized checkpoint is refused by its method: %j", async (config, message) => {
  const checkpoint = await golden("qwen2_5_vl");
  const files = { ...checkpoint.files };
  files["config.json"] = { ...(files["config.json"] as object), ...config };
  const tensors = new Map(
    Array.from(checkpoint.tensors, ([name, info]) => [
      name.replace(/_proj\.weight$/, "_proj.qweight"),
      info,
    ]),
  );
  await expect(planCheckpoint(createModel, { ...checkpoint, files, tensors })).rejects.toThrow(
    message,
  );
});

test("the model says to which part a tensor belongs, whatever the tensor's name", async () => {
  // The tower's attention has "projection" in its names, as connectors of other families do.
  const checkpoint = await golden("internvl");
  const tensors = [...checkpoint.tensors].filter(([name]) => /^multi_modal_projector/.test(name));
  const parameters = tensors.map(([, { shape }]) => elementCount(shape));
  const { disk } = await planCheckpoint(createModel, checkpoint);
  expect(disk.connector.parameters).toBe(parameters.reduce((sum, count) => sum + count, 0));
});

test("a tensor that the model does not use counts to the part with the most similar path", async () => {
  const checkpoint = await golden("smolvlm");
  const added = { dtype: "F32", shape: [8], file: "model.safetensors", begin: 0, end: 32 };
  const { disk } = await planCheckpoint(createModel, checkpoint);
  for (const [name, part] of [
    ["model.vision_model.encoder.layers.99.mlp.fc1.bias", "vision"],
    ["model.connector.other.weight", "connector"],
    ["other", "text"],
  ] as const) {
    const tensors = new Map([...checkpoint.tensors, [name, added]]);
    const plan = await planCheckpoint(createModel, { ...checkpoint, tensors });
    expect(plan.disk[part].bytes).toBe(disk[part].bytes + 32);
  }
});

test("the context length is the model's own, and the processor counts the tokens of images", async () => {
  const plan = await planCheckpoint(createModel, await openModel(undefined));
  expect([plan.contextLength, plan.maxContextLength]).toEqual([2048, 2048]);
  expect(plan.kvBytesPerToken).toBe(4096);
  expect(new Set(plan.imageTokens.map(({ tokens }) => tokens))).toEqual(new Set([16]));
});

test("a cross-attention image takes one token of the context, and memory of its own", async () => {
  const plan = await planCheckpoint(createModel, await golden("mllama"), { contextLength: 512 });
  expect(plan.maxImages).toBe(16);
  // Keys and values of two layers, 64 channels, for four tiles of 17 rows.
  expect(plan.gpu.f16.images).toBe(16 * 4 * 17 * 4 * 64 * 4);
  expect(new Set(plan.imageTokens.map(({ tokens }) => tokens))).toEqual(new Set([1]));
  expect((await planCheckpoint(createModel, await golden("smolvlm"))).maxImages).toBeUndefined();
});

test("a model_type that is not supported is rejected", async () => {
  const checkpoint = await golden("smolvlm");
  const files = { ...checkpoint.files, "config.json": { model_type: "bert" } };
  await expect(planCheckpoint(createModel, { ...checkpoint, files })).rejects.toThrow(
    /"bert", supported: smolvlm/,
  );
});

test("matrices take the bytes that their format promises", async () => {
  const checkpoint = await golden("smolvlm");
  const bytesIn = async (quantization: QuantizationName): Promise<number> => {
    const { engine, weights } = assemble(createModel, countingGpu(), checkpoint, { quantization });
    await engine.prepare();
    const matrices = weights.allocated.filter(({ role }) => role);
    return matrices.reduce((sum, { bytes }) => sum + bytes, 0);
  };
  const f32 = await bytesIn("f32");
  expect((await bytesIn("f16")) / f32).toBe(0.5);
  // q8 takes nine bits per weight, and a scale and a least value per 32 weights; q4 takes four bits, and
  // the same. Rows are padded to a multiple of 32.
  expect((await bytesIn("q8")) / f32).toBeLessThan((1 + 8 / 32) / 4 + 0.02);
  expect((await bytesIn("q4")) / f32).toBeLessThan((0.5 + 4 / 32) / 4 + 0.02);
});
