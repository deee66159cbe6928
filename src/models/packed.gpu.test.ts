import { expect, test } from "vitest";
import { generate, type GoldenCase, openEngine, prepareImages } from "../../tests/golden.ts";
import { testGpu } from "../../tests/support.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { resolveSource } from "../weights/source.ts";

const FOLDER = "/e2e/goldens/packed";

/**
 * What the tensors of each format mean, and what its kernels read, is tested with the formats. This is
 * the whole: names, stacked matrices, and the embeddings as head.
 */
test.each(["mlx-qwen2_5_vl-4bit"])(
  "%s answers as the reference does with its weights",
  async (name) => {
    const gpu = await testGpu();
    const checkpoint = await openCheckpoint(
      resolveSource(`${FOLDER}/${name}`, { base: location.href }),
      { packedFormats: async () => PACKED_FORMATS },
    );
    const response = await fetch(`${FOLDER}/${name}/cases.json`);
    const [golden] = (await response.json()) as GoldenCase[];
    if (!golden) throw new Error(`${name} has no case`);
    const { engine, model, weights } = await openEngine(gpu, checkpoint, "auto", {
      contextLength: 128,
    });
    const images = await prepareImages(golden, model, FOLDER);
    const { input_ids: ids, max_tokens: maxTokens } = golden;
    expect(await generate(engine, { ids, images, maxTokens }, checkpoint.files)).toEqual(
      golden.output_ids,
    );
    weights.dispose();
  },
);
