import { expect, test } from "vitest";
import { type GoldenCase, GREEDY, openEngine, prepareImages } from "../../../tests/golden.ts";
import { GOLDENS, UNPACKED } from "../../../tests/goldens/paths.ts";
import { testGpu } from "../../../tests/support.ts";
import { openCheckpoint } from "../../weights/checkpoint.ts";
import { resolveSource } from "../../weights/source.ts";
import { ggufReader } from "./reader.ts";

test("a model with matrices of every type gives the reference's tokens for an image", async () => {
  const gpu = await testGpu();
  const path = `/${UNPACKED}/gguf/qwen2_5_vl-every/TinyQwen2.5-VL-every.gguf`;
  const source = resolveSource(path, { base: location.href });
  const checkpoint = await openCheckpoint(source, { gguf: async () => ggufReader });
  const options = { contextLength: 256, prefillRows: 128 };
  const { engine, model, weights } = await openEngine(gpu, checkpoint, "auto", options);
  const response = await fetch(`/${GOLDENS}/gguf/qwen2_5_vl-every/cases.json`);
  const cases = (await response.json()) as GoldenCase[];
  const case_ = cases.find(({ name }) => name === "image") ?? expect.fail();
  const images = await prepareImages(case_, model, `/${GOLDENS}/gguf`);
  const maxTokens = case_.output_ids.length;
  const input = { ids: case_.input_ids, images, maxTokens, stopTokenIds: [], sampling: GREEDY };
  const ids: number[] = [];
  for await (const { token } of engine.generate(input)) ids.push(token);
  expect(ids).toEqual(case_.output_ids);
  weights.dispose();
});
