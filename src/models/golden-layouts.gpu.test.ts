import { expect, test } from "vitest";
import { LAYOUT_FOLDERS } from "../../tests/families.ts";
import { caseOf, generate, openEngine, openGolden, prepareImages } from "../../tests/golden.ts";
import { testGpu } from "../../tests/support.ts";

test.each(LAYOUT_FOLDERS)("%s is answered as the reference does", async (folder) => {
  const golden = await openGolden(folder);
  const options = { contextLength: 512, prefillRows: 128 };
  const opened = await openEngine(await testGpu(), golden.checkpoint, "f32", options);
  const { engine, model, weights } = opened;
  const { input_ids: ids, max_tokens: maxTokens, ...case_ } = caseOf(golden, "image");
  const images = await prepareImages(case_, model, "/e2e/goldens");
  const answer = await generate(engine, { ids, images, maxTokens }, golden.checkpoint.files);
  expect(answer).toEqual(case_.output_ids);
  weights.dispose();
});
