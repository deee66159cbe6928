import { beforeAll, describe, expect, test } from "vitest";
import {
  type Golden,
  type GoldenCase,
  generate,
  openEngine,
  openGolden,
  prepareImages,
} from "../../tests/golden.ts";
import { testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Quantization } from "../weights/gpu-weights.ts";

const OPTIONS = { contextLength: 512, prefillRows: 128 };

/** By published name: what transformers 5 saves the tensor as, and the name of the parameter. */
type Names = Readonly<Record<string, readonly [saved: string, parameter: string]>>;

let gpu: Gpu;

beforeAll(async () => {
  gpu = await testGpu();
});

const json = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

function renamed(checkpoint: Checkpoint, names: Names, column: 0 | 1): Checkpoint {
  const tensors = new Map(
    Array.from(checkpoint.tensors, ([name, info]) => {
      const other = names[name] ?? expect.fail(`names.json lacks ${name}`);
      return [other[column], info];
    }),
  );
  return { ...checkpoint, tensors };
}

/** The greedy ids of each case. */
async function answers(
  checkpoint: Checkpoint,
  cases: readonly GoldenCase[],
  quantization: Quantization,
): Promise<number[][]> {
  const { engine, model, weights } = await openEngine(gpu, checkpoint, quantization, OPTIONS);
  const all: number[][] = [];
  for (const case_ of cases) {
    const images = await prepareImages(case_, model, "/e2e/goldens");
    const input = { ids: case_.input_ids, images, maxTokens: case_.max_tokens };
    all.push(await generate(engine, input, checkpoint.files));
  }
  weights.dispose();
  return all;
}

describe.each(["smolvlm", "qwen2_vl", "qwen2_5_vl", "qwen3_vl"])("%s", (folder) => {
  let golden: Golden;
  let names: Names;
  let case_: GoldenCase;

  beforeAll(async () => {
    golden = await openGolden(folder);
    names = await json<Names>(`/e2e/goldens/${folder}/newer/names.json`);
    case_ = golden.cases.find(({ name }) => name === "image") ?? expect.fail("no case image");
  });

  test("as published", async () => {
    expect(await answers(golden.checkpoint, [case_], "f32")).toEqual([case_.output_ids]);
  });

  test("as transformers 5 saves it", async () => {
    const config = await json<object>(`/e2e/goldens/${folder}/newer/config.json`);
    const { files, ...rest } = renamed(golden.checkpoint, names, 0);
    const checkpoint = { ...rest, files: { ...files, "config.json": config } };
    expect(config).not.toEqual(files["config.json"]);
    expect(await answers(checkpoint, [case_], "f32")).toEqual([case_.output_ids]);
  });

  test("with the names of its modules' parameters", async () => {
    const checkpoint = renamed(golden.checkpoint, names, 1);
    expect(await answers(checkpoint, [case_], "f32")).toEqual([case_.output_ids]);
  });
});

/**
 * Weights of 8 bits move these random models' logits by about 0.15, and the reference's path has
 * margins of as little as 0.12: an answer may fork there. So each step is judged by itself, with
 * the recorded ids before it.
 */
test.each(["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])(
  "%s in q8 takes the recorded token at 9 steps of 10",
  async (folder) => {
    const { cases, checkpoint } = await openGolden(folder);
    const { engine, model } = await openEngine(gpu, checkpoint, "q8", OPTIONS);
    const forks: string[] = [];
    let steps = 0;
    for (const { name, output_ids, ...case_ } of cases) {
      const images = await prepareImages(case_, model, "/e2e/goldens");
      // After a fork it goes on from the recorded token.
      for (let done = 0; done < output_ids.length; done++) {
        const ids = [...case_.input_ids, ...output_ids.slice(0, done)];
        const rest = output_ids.slice(done);
        const got = await generate(
          engine,
          { ids, images, maxTokens: rest.length },
          checkpoint.files,
        );
        const same = rest.findIndex((id, i) => id !== got[i]);
        if (same < 0) break;
        done += same;
        forks.push(`${name} at ${done}`);
      }
      steps += output_ids.length;
    }
    expect(cases.length).toBeGreaterThan(5);
    expect(forks.length, forks.join(", ")).toBeLessThanOrEqual(0.1 * steps);
  },
);
