import { expect, test } from "vitest";
import { LAYOUT_FOLDERS } from "../../tests/families.ts";
import { caseOf, generate, openEngine, openGolden, prepareImages } from "../../tests/golden.ts";
import { expectClose, testGpu } from "../../tests/support.ts";

/** The tolerance of the goldens' README, for f32: relative to the expected tensor's rms. */
const VISION = 1e-4;

test.each(LAYOUT_FOLDERS)("%s is answered as the reference does", async (folder) => {
  const golden = await openGolden(folder);
  const options = { contextLength: 512, prefillRows: 128 };
  const gpu = await testGpu();
  const opened = await openEngine(gpu, golden.checkpoint, "f32", options);
  const { engine, model, weights } = opened;
  const { input_ids: ids, max_tokens: maxTokens, ...case_ } = caseOf(golden, "image");
  const images = await prepareImages(case_, model, "/e2e/goldens");
  const answer = await generate(engine, { ids, images, maxTokens }, golden.checkpoint.files);
  expect(answer).toEqual(case_.output_ids);
  const expected = golden.expected.get("image.image_embeds") ?? expect.fail("no image_embeds");
  const states = await gpu.read(engine.imageStates[0] ?? expect.fail("no image states"));
  expectClose(states.subarray(0, expected.length), expected, VISION);
  weights.dispose();
});
