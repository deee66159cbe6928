import { beforeAll, describe, expect, test } from "vitest";
import { type Golden, GREEDY, openEngine, openGolden, requestOf } from "../../tests/golden.ts";
import { random } from "../../tests/seeded.ts";
import { testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Model } from "../models/model.ts";
import type { Engine } from "./engine.ts";
import type { GeneratedToken, GenerationInput, TokenConstraint } from "./generation.ts";
import { allow } from "./mask-bits.ts";

/** One folder of each family, and the tokens of a cache that a few of its requests fill. */
const FOLDERS: readonly (readonly [folder: string, contextLength: number])[] = [
  ["smolvlm", 256],
  ["qwen2_5_vl", 256],
  ["qwen3_vl", 256],
  ["gemma3", 256],
  ["paligemma", 192],
  ["lfm2_vl", 256],
  ["llava_onevision", 320],
  ["internvl", 256],
  ["mllama", 128],
];

/** Schedules of each family. More of them run over a fake decoder, in `scheduler.test.ts`. */
const SCHEDULES = 1;

/** Allows every third id, others at each step. */
function thirds(V: number): TokenConstraint {
  let step = 0;
  return {
    mask(words) {
      if (step % 4 === 3) return false;
      for (let id = step % 3; id < V; id += 3) allow(words, id);
      return true;
    },
    accept: () => void step++,
  };
}

/** A request that is made as often as it is asked. */
type Make = () => GenerationInput;

/** Requests of all kinds, each about one of the cases of a folder. */
async function requestsOf(golden: Golden, model: Model, most: number): Promise<Make[]> {
  const short = golden.cases.filter(({ input_ids }) => input_ids.length < most / 2);
  const inputs = await Promise.all(short.map((case_) => requestOf(case_, model)));
  const sampled = { ...GREEDY, temperature: 1.2, seed: 3 };
  const V = model.text.vocab_size;
  const kinds: ((input: GenerationInput) => GenerationInput)[] = [
    (input) => input,
    (input) => ({ ...input, sampling: sampled, logprobs: 2 }),
    (input) => ({ ...input, sampling: { ...sampled, topK: 9, topP: 0.8 }, maxTokens: 30 }),
    (input) => ({
      ...input,
      sampling: {
        ...GREEDY,
        repetitionPenalty: 1.4,
        frequencyPenalty: 0.3,
        logitBias: new Map([[9, 2]]),
      },
      maxTokens: 40,
    }),
    (input) => ({ ...input, maxTokens: 20, constraint: thirds(V) }),
    (input) => ({ ...input, maxTokens: 12, sampling: sampled, constraint: thirds(V), logprobs: 0 }),
    (input) => ({ ...input, stopTokenIds: [input.ids[0] as number], minTokens: 5, maxTokens: 9 }),
    (input) => ({ ...input, maxTokens: 50 }),
  ];
  return kinds.map((kind, i) => () => kind(inputs[i % inputs.length] as GenerationInput));
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

async function answer(engine: Engine, input: GenerationInput, most = Infinity) {
  const tokens: GeneratedToken[] = [];
  for await (const token of engine.generate(input)) if (tokens.push(token) >= most) break;
  return tokens;
}

describe.each(FOLDERS)("with %s", (folder, contextLength) => {
  let gpu: Gpu;
  let model: Model;
  let engine: Engine;
  let requests: Make[];

  beforeAll(async () => {
    gpu = await testGpu();
    const golden = await openGolden(folder);
    ({ engine, model } = await openEngine(gpu, golden.checkpoint, "f32", { contextLength }));
    requests = await requestsOf(golden, model, contextLength);
  });

  test("requests in random company get the tokens that they get alone", async () => {
    const alone = new Map<number, readonly GeneratedToken[]>();
    for (let seed = 0; seed < SCHEDULES; seed++) {
      const pick = random(seed);
      const visits = Array.from({ length: 3 + pick(5) }, () => ({
        request: pick(requests.length),
        delay: pick(3) === 0 ? pick(30) : 0,
        most: pick(4) === 0 ? 1 + pick(12) : Infinity,
      }));
      for (const { request } of visits) {
        if (alone.has(request)) continue;
        engine.flush();
        alone.set(request, await answer(engine, (requests[request] as Make)()));
      }
      const answers = await Promise.all(
        visits.map(async ({ request, delay, most }) => {
          for (let i = 0; i < delay; i++) await turn();
          return answer(engine, (requests[request] as Make)(), most);
        }),
      );
      for (const [i, { request, most }] of visits.entries()) {
        const expected = alone.get(request)?.slice(0, most);
        expect(answers[i], `schedule ${seed}, request ${request}`).toEqual(expected);
      }
      expect(engine.stats).toMatchObject({ requests: 0, running: 0, heldPages: 0 });
    }
  });
});
