import { expect, test } from "vitest";
import { type GoldenCase, GREEDY, openEngine, prepareImages } from "../../../tests/golden.ts";
import { GOLDENS, UNPACKED } from "../../../tests/goldens/paths.ts";
import { testGpu } from "../../../tests/support.ts";
import { openCheckpoint } from "../../weights/checkpoint.ts";
import { resolveSource } from "../../weights/source.ts";
import { ggufReader } from "./reader.ts";

/**
 * The first has matrices of every type. The others are what llama.cpp makes of a family folder: LFM2-VL's
 * files lack the limits of images, which are unusually small there.
 */
test.each([
  ["qwen2_5_vl-every", "TinyQwen2.5-VL-every.gguf", `${GOLDENS}/gguf/qwen2_5_vl-every`],
  ["internvl", "Tiny-internvl-BF16.gguf", `${GOLDENS}/internvl`],
  ["lfm2_vl", "Tiny-lfm2_vl-BF16.gguf", `${GOLDENS}/lfm2_vl`],
])("%s gives the reference's tokens for an image", async (name, file, golden) => {
  const gpu = await testGpu();
  const json = async (path: string) => (await fetch(`/${path}`)).json() as Promise<unknown>;
  const source = resolveSource(`/${UNPACKED}/gguf/${name}/${file}`, { base: location.href });
  const opened = await openCheckpoint(source, { gguf: async () => ggufReader });
  const limits = name === "lfm2_vl" && {
    "preprocessor_config.json": await json(`${golden}/preprocessor_config.json`),
  };
  const checkpoint = { ...opened, files: { ...opened.files, ...limits } };
  const options = { contextLength: 256, prefillRows: 128 };
  const { engine, model, weights } = await openEngine(gpu, checkpoint, "auto", options);
  const cases = (await json(`${golden}/cases.json`)) as GoldenCase[];
  const case_ = cases.find((one) => one.name === "image") ?? expect.fail();
  const images = await prepareImages(case_, model, `/${golden}/..`);
  const maxTokens = case_.output_ids.length;
  const input = { ids: case_.input_ids, images, maxTokens, stopTokenIds: [], sampling: GREEDY };
  const ids: number[] = [];
  for await (const { token } of engine.generate(input)) ids.push(token);
  expect(ids).toEqual(case_.output_ids);
  weights.dispose();
});
