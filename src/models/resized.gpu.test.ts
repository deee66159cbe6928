import { expect, test } from "vitest";
import { caseOf, generate, openEngine, openGolden, prepareImages } from "../../tests/golden.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { RESIZED_TABLE, type Resized, resizedCheckpoint } from "../../tests/resized.ts";
import { testGpu } from "../../tests/support.ts";

const table = (await (await fetch(`/${RESIZED_TABLE}`)).json()) as Resized[];

test.each(table)("$family, $name: answers as the reference does", async (entry) => {
  const golden = await openGolden(entry.family);
  const file = await fetch(`/${UNPACKED}/${entry.family}/model.safetensors`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const checkpoint = resizedCheckpoint(golden.checkpoint, bytes, entry);
  const { engine, model } = await openEngine(await testGpu(), checkpoint, "f32", {
    contextLength: 256,
  });
  const images = await prepareImages(caseOf(golden, "image"), model, "/e2e/goldens");
  const input = { ids: entry.input_ids, images, maxTokens: entry.output_ids.length };
  expect(await generate(engine, input, checkpoint.files)).toEqual(entry.output_ids);
});
