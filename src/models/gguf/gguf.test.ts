import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  ScriptedGenerator,
  type TextCase,
  readBytes,
  readCheckpoint,
  readJson,
} from "../../../tests/chat-support.ts";
import { type GgufTensorData, ggufFile } from "../../../tests/gguf-file.ts";
import { CONVERTED_GGUF, GGUF_GOLDENS, GOLDENS, UNPACKED } from "../../../tests/goldens/paths.ts";
import { memoryGpu, readMemory } from "../../../tests/memory-gpu.ts";
import { referenceOf } from "../../../tests/weight-formats.ts";
import { chatModel } from "../../chat/model.ts";
import { buildPrompt } from "../../chat/prompt.ts";
import { openModel } from "../../cli/open-model.ts";
import { compileGrammar } from "../../grammar/compile-grammar.ts";
import { decodeNodeImage } from "../../platform/node-image.ts";
import { assemble } from "../../runtime/assemble.ts";
import { countingGpu } from "../../runtime/counting-device.ts";
import type { WeightFormat } from "../../weights/format.ts";
import { parseGgufHeader } from "../../weights/gguf/header.ts";
import { GpuWeights } from "../../weights/gpu-weights.ts";
import { createModel } from "../registry.ts";
import { readGguf } from "./read.ts";

describe.each(GGUF_GOLDENS)("%s", async (name) => {
  const source = `${GOLDENS}/gguf/${name}`;
  const root = join(import.meta.dirname, "../../..");
  const checkpoint = await openModel(join(root, UNPACKED, "gguf", name));
  const isConverted = (CONVERTED_GGUF as readonly string[]).includes(name);
  const base = readCheckpoint(isConverted ? `${UNPACKED}/${name}` : `${source}/base`);
  const cases = readJson(isConverted ? `${GOLDENS}/${name}/cases.json` : `${source}/cases.json`);
  const model = createModel(checkpoint.files);

  test("values are exact", async () => {
    const gpu = memoryGpu();
    const { storedNames } = model;
    const weights = new GpuWeights(gpu, checkpoint, { storedNames });
    const table = readJson(`${source}/dequantized.json`) as Record<string, string>;
    const read = Object.keys(table).map((parameter) => {
      const { shape = [] } = checkpoint.tensors.get(parameter) ?? {};
      // Convolutions and parameters of rows that are stacked are matrices.
      const isVector = shape.length === 1 || /\.bias$|\.conv\.conv\.weight$/.test(parameter);
      const tensor = isVector ? weights.vector(parameter) : undefined;
      const matrix = isVector ? undefined : weights.matrix(parameter);
      return { parameter, tensor, matrix };
    });
    await weights.load(checkpoint);
    const hashes = read.map(({ parameter, tensor, matrix }) => {
      const hash = createHash("sha256");
      if (tensor) hash.update(readMemory(tensor));
      for (const { rows, format, parts } of matrix?.slices ?? []) {
        const words = parts.map((part) => new Uint32Array(readMemory(part).buffer));
        const shape = [rows, matrix?.shape[1] ?? 0] as const;
        const values = referenceOf(format).unpack(words, shape, format as WeightFormat);
        hash.update(new Uint8Array(values.buffer));
      }
      return [parameter, hash.digest("hex")];
    });
    expect(Object.fromEntries(hashes)).toEqual(table);
  });

  test("takes at most 5 % more on the GPU than in the file, and every tensor is known", async () => {
    const { engine, weights } = assemble(createModel, countingGpu(), checkpoint, {});
    await engine.prepare();
    const read = new Set(weights.allocated.flatMap(({ tensors }) => tensors));
    expect([...checkpoint.tensors.keys()].filter((tensor) => !read.has(tensor))).toEqual([]);
    const bytes = weights.allocated.reduce((sum, tensor) => sum + tensor.bytes, 0);
    // A tied head is the embeddings once more.
    expect(bytes / checkpoint.weightBytes).toBeLessThan(1.05);
  });

  test("the settings are those of the repository it was made from", () => {
    const theirs = createModel(base);
    expect(settingsOf(model.text)).toEqual({
      ...settingsOf(theirs.text),
      // The file lacks <image_soft_token> and what comes after it.
      ...(name === "gemma3" && { vocab_size: 507 }),
    });
    expect(settingsOf(model.processor)).toEqual(settingsOf(theirs.processor));
    expect(model.imageStates).toBe(theirs.imageStates);
    expect(model.patchesPerRow).toBe(theirs.patchesPerRow);
  });

  test("prompts, their ids and the tokens that end an answer are the reference's", async () => {
    const { processor } = model;
    const options = { processor, decodeImage: decodeNodeImage, compileGrammar };
    const chatOf = (files: typeof checkpoint.files) =>
      chatModel(files, { generator: new ScriptedGenerator(), ...options });
    const chatting = chatOf(checkpoint.files);
    for (const case_ of cases as TextCase[]) {
      const urls = case_.messages.flatMap(({ content }) =>
        typeof content === "string"
          ? []
          : (content ?? []).flatMap((part) => ("image_url" in part ? part.image_url.url : [])),
      );
      // The references' images are smaller than the published settings allow.
      if (["qwen3_vl", "lfm2_vl"].includes(name) && urls.length > 0) continue;
      const images = await Promise.all(
        urls.map(async (url) => {
          const bytes = readBytes(`${GOLDENS}/${isConverted ? "" : "gguf/"}${url}`);
          const decoded = await decodeNodeImage(new Blob([bytes]));
          const { width, height } = decoded;
          return { decoded, layout: processor.layout(width, height, "auto", urls.length) };
        }),
      );
      const prompt = buildPrompt(chatting, case_.messages, images);
      expect([prompt.text, prompt.ids]).toEqual([case_.prompt, case_.input_ids]);
      expect(chatting.tokenizer.decode(case_.output_ids)).toBe(
        chatOf(base).tokenizer.decode(case_.output_ids),
      );
    }
    const ends = chatting.defaults.stopTokenIds;
    expect(ends).toEqual(expect.arrayContaining([...chatOf(base).defaults.stopTokenIds]));
  });
});

test("InternVL's own chat template, which takes text only, gives way", () => {
  const folder = `${UNPACKED}/gguf/internvl`;
  const headers = ["Tiny-internvl-BF16.gguf", "mmproj-Tiny-internvl-BF16.gguf"].map((file) => {
    const { metadata, tensors } = parseGgufHeader(file, readBytes(`${folder}/${file}`))!;
    const own = metadata.has("tokenizer.chat_template") && {
      "tokenizer.chat_template": "{% for m in messages %}{{ m.role + m.content }}{% endfor %}",
    };
    const empty = tensors.map(({ name, ...tensor }) => [
      name,
      { ...tensor, data: new Uint8Array() },
    ]);
    const changed = { ...Object.fromEntries(metadata), ...own };
    return [
      file,
      ggufFile(changed, Object.fromEntries(empty) as Record<string, GgufTensorData>),
    ] as const;
  });
  const { files } = readGguf("internvl", new Map(headers));
  expect(files["tokenizer_config.json"]).toMatchObject({
    chat_template: readCheckpoint(`${UNPACKED}/internvl`)["chat_template.jinja"],
  });
});

/** Numbers that change results, rounded to the f32 that kernels compute with. */
function settingsOf(settings: object): object {
  const ignored = [
    ...["model_type", "rope_scaling", "rope_theta", "rope_parameters", "max_window_layers"],
    ...["use_sliding_window", "attention_bias", "mlp_bias", "unused", "rope_local_base_freq"],
    // LFM2's, of which a file has the result.
    ...["block_auto_adjust_ff_dim", "block_ff_dim", "block_multiple_of", "conv_bias"],
    ...["query_pre_attn_scalar", "sliding_window_pattern", "max_position_embeddings"],
  ];
  const kept = Object.entries(settings).filter(([key]) => !ignored.includes(key));
  const json = JSON.stringify(Object.fromEntries(kept), (_, value: unknown) =>
    typeof value === "number" ? Math.fround(value) : value,
  );
  return JSON.parse(json) as object;
}
