import { expect, test } from "vitest";
import { checkpointFiles } from "../../tests/processor-goldens.ts";
import { publishedProcessor } from "../../tests/published-processor.ts";
import { smolvlmProcessor } from "../models/smolvlm-processor.ts";
import { UsageCounter, totalUsage } from "./usage.ts";

/** What the model sees of a photo of 640 x 480 and of a page of 2480 x 3508, by published settings. */
test.each([
  ["qwen2_5_vl", "644 x 476: 391", "2492 x 3500: 11125"],
  ["qwen3_vl", "640 x 480: 300", "2496 x 3520: 8580"],
  ["smolvlm-256m-500m", "2048 x 1536: 832", "1536 x 2048: 832"],
  ["llava_onevision", "768 x 576: 2929", "1629 x 2304: 7353"],
  ["llava", "336 x 336: 576", "336 x 336: 576"],
  ["internvl", "1792 x 1344: 3328", "896 x 1344: 1792"],
  ["lfm2_vl", "576 x 416: 234", "1024 x 1536: 1783"],
  ["gemma3", "896 x 896: 256", "896 x 896: 256"],
  ["mllama", "640 x 480: 1", "791 x 1120: 1"],
])("%s", (name, photo, page) => {
  const { layout } = publishedProcessor(name);
  const layouts = [layout(640, 480, "auto"), layout(2480, 3508, "auto")];
  const { images } = new UsageCounter({ ids: [], imageTokens: 0 }, layouts);
  const seen = images.map(({ width, height, tokens }) => `${width} x ${height}: ${tokens}`);
  expect(seen).toEqual([photo, page]);
});

test("the images of several answers stand one after another", () => {
  const { layout } = smolvlmProcessor(checkpointFiles("smolvlm"));
  const counters = [[], [layout(8, 8, "auto")], [layout(9, 9, "auto"), layout(7, 7, "auto")]].map(
    (layouts) => new UsageCounter({ ids: [], imageTokens: 0 }, layouts),
  );
  expect(totalUsage(counters).images).toEqual(counters.flatMap(({ images }) => images));
  expect(totalUsage(counters).images).toHaveLength(3);
});
