import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readJson } from "../../tests/chat-support.ts";
import { FOLDERS } from "../../tests/families.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { openModel } from "../cli/open-model.ts";
import { elementCount } from "../gpu/tensor.ts";
import { createModel } from "../models/registry.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
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

/** Turns matrices into tensors of a packed format, as a header has them. */
type Packed = (path: string, O: number, D: number) => Readonly<Record<string, [string, number[]]>>;

const packedAwq: Packed = (path, O, D) => ({
  [`${path}.qweight`]: ["I32", [D, O / 8]],
  [`${path}.qzeros`]: ["I32", [1, O / 8]],
  [`${path}.scales`]: ["F16", [1, O]],
});
const packedFp8: Packed = (path, O, D) => ({
  [`${path}.weight`]: ["F8_E4M3", [O, D]],
  [`${path}.weight_scale_inv`]: ["BF16", [Math.ceil(O / 128), Math.ceil(D / 128)]],
});
const FP8 = { quant_method: "fp8", weight_block_size: [128, 128] };
const TEXT = /^model\.layers\..*_proj\.weight$/;

const QKV = /\.(layers|blocks)\..*\.(q_proj|k_proj|v_proj|qkv|proj)\.weight$/;
const LINEAR = /(proj|qkv|fc\d)\.weight$/;

/** What is packed, how, and the formats of the linear layers that count, in the text model and the tower. */
test.each<[string, object, RegExp, Packed, linears: RegExp, text: string, vision: string]>([
  [
    "AWQ of the tower too, whose q, k and v are one matrix",
    { quant_method: "awq", bits: 4, group_size: -1, version: "gemm" },
    QKV,
    packedAwq,
    QKV,
    "int",
    "int",
  ],
  [
    "FP8 but for the modules that are not to be converted",
    { ...FP8, modules_to_not_convert: ["visual", "lm_head"] },
    TEXT,
    packedFp8,
    LINEAR,
    "fp8",
    "bf16",
  ],
  [
    "FP8 but for some layers of the text model",
    { ...FP8, ignored_layers: ["model.layers.0.mlp.down_proj", "visual"] },
    /^model\.layers\.(?!0\.mlp\.down_proj).*_proj\.weight$/,
    packedFp8,
    LINEAR,
    "bf16 fp8",
    "bf16",
  ],
  [
    // The list is another tool's, and wrong. What the file has decides.
    "FP8 of modules that the list names",
    { ...FP8, modules_to_not_convert: ["model.layers.0.self_attn.q_proj"] },
    TEXT,
    packedFp8,
    LINEAR,
    "fp8",
    "bf16",
  ],
])("%s is loaded as the file has it", async (_, config, names, pack, linears, text, vision) => {
  const checkpoint = await golden("qwen2_5_vl");
  const files = { ...checkpoint.files };
  files["config.json"] = { ...(files["config.json"] as object), quantization_config: config };
  const tensors = new Map(
    [...checkpoint.tensors].flatMap(([name, info]) => {
      if (!names.test(name)) return [[name, info] as const];
      const [O = 0, D = 0] = info.shape;
      const packed = Object.entries(pack(name.replace(/\.weight$/, ""), O, D));
      return packed.map(([part, [dtype, shape]]) => [part, { ...info, dtype, shape }] as const);
    }),
  );
  expect(tensors.size).toBeGreaterThan(checkpoint.tensors.size);
  const changed = { ...checkpoint, files, tensors, formats: PACKED_FORMATS };
  const options = { quantization: "auto", contextLength: 64 } as const;
  const { engine, weights } = assemble(createModel, countingGpu(), changed, options);
  await engine.prepare();
  const of = (path: string) => {
    const own = weights.fills.filter(({ name }) => name.includes(path) && linears.test(name));
    return [...new Set(own.map(({ packed }) => packed.format?.name))].sort().join(" ");
  };
  expect(of(".layers.")).toBe(text);
  expect(of(".blocks.")).toBe(vision);
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
