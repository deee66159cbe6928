import { expect, test } from "vitest";
import recorded from "../../e2e/goldens/packed/cases.json";
import {
  caseOf,
  generate,
  type GoldenCase,
  openEngine,
  prepareImages,
} from "../../tests/golden.ts";
import { PACKED_ROWS } from "../../tests/goldens/packed-rows.ts";
import { GOLDENS, UNPACKED } from "../../tests/goldens/paths.ts";
import { testGpu } from "../../tests/support.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { resolveSource } from "../weights/source.ts";

/**
 * What the tensors of each format mean, and what its kernels read, is tested with the formats. This is
 * the whole: names, stacked matrices, and the embeddings as head.
 */
test.each(PACKED_ROWS.map(({ name, family }) => [name, family] as const))(
  "%s answers as the reference does with its weights",
  async (name, family) => {
    const gpu = await testGpu();
    const checkpoint = await openCheckpoint(
      resolveSource(`/${UNPACKED}/packed/${name}`, { base: location.href }),
      { packedFormats: async () => PACKED_FORMATS },
    );
    const response = await fetch(`/${GOLDENS}/${family}/cases.json`);
    const golden = caseOf({ cases: (await response.json()) as GoldenCase[] }, "image");
    const { engine, model, weights } = await openEngine(gpu, checkpoint, "auto", {
      contextLength: 256,
    });
    const images = await prepareImages(golden, model, `/${GOLDENS}`);
    const expected = (recorded as Readonly<Record<string, { readonly output_ids: number[] }>>)[
      name
    ]!;
    const maxTokens = expected.output_ids.length;
    const ids = await generate(
      engine,
      { ids: golden.input_ids, images, maxTokens },
      checkpoint.files,
    );
    expect(ids).toEqual(expected.output_ids);
    weights.dispose();
  },
);
