import { afterEach, expect, test, vi } from "vitest";
import { FIRST_SAMPLED, VOCABULARY } from "../../tests/fake-decoder.ts";
import { machineOf, wantedOf } from "../../tests/fake-machine.ts";
import type { GeneratedToken, GenerationInput, TokenConstraint } from "../engine/generation.ts";
import { allow } from "../engine/mask-bits.ts";
import { DeviceLostError, NoGpuError } from "../platform/device-error.ts";
import { EngineHolder, type EngineHolderOptions, type RunningModel } from "./engine-holder.ts";

afterEach(() => vi.useRealTimers());

const LOST = new DeviceLostError("the GPU was lost");

/** A model over a scheduler and a fake decoder, whose GPU can be lost. */
function fakeModel(lives = Infinity) {
  const gpu: { lost?: DeviceLostError } = {};
  let waits = 0;
  const wait = async (): Promise<void> => {
    await Promise.resolve();
    if (waits++ >= lives) gpu.lost ??= LOST;
    if (gpu.lost) throw gpu.lost;
  };
  const check = (): void => {
    if (gpu.lost) throw gpu.lost;
  };
  const machine = machineOf({ wait, check });
  const release = vi.fn(() => void (gpu.lost ??= LOST));
  const engine = {
    contextLength: 4096,
    maxImages: undefined,
    kvCache: "f32",
    stats: { gpuBytes: 7 },
    flush() {},
    async *generate(input: GenerationInput) {
      try {
        yield* machine.generate(wantedOf(input));
      } catch (error) {
        throw gpu.lost ?? error;
      }
    },
  };
  const model = { gpu, engine, release } as unknown as RunningModel;
  return { model, gpu, release };
}

type Fake = ReturnType<typeof fakeModel>;

/** A holder that starts fake models. `made` are those so far. */
function holderOf(options: EngineHolderOptions = {}, lives: () => number = () => Infinity) {
  const made: Fake[] = [];
  const start = async (): Promise<RunningModel> => {
    made.push(fakeModel(lives()));
    return made.at(-1)!.model;
  };
  made.push(fakeModel(lives()));
  const holder = new EngineHolder(made[0]!.model, start, options);
  return { holder, made };
}

const IDS = Array.from({ length: 40 }, (_, i) => i % 30);

function inputOf(more: Partial<GenerationInput> = {}): GenerationInput {
  const { input } = wantedOf({ ids: IDS, maxTokens: 30, ...more });
  return input;
}

async function read(holder: EngineHolder, input: GenerationInput): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of holder.generate(input)) tokens.push(token);
  return tokens;
}

/** Allows even and odd ids in turn, as it is told of the tokens. */
function alternating(): TokenConstraint {
  let told = 0;
  return {
    mask(words) {
      for (let id = FIRST_SAMPLED + (told % 2); id < VOCABULARY; id += 2) allow(words, id);
      return true;
    },
    accept(token) {
      expect(token % 2).toBe(told++ % 2);
    },
  };
}

const SAMPLED = { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 5 };
const PENALIZED = { ...SAMPLED, seed: 9, repetitionPenalty: 1.5, frequencyPenalty: 0.4 };

test.each([1, 2, 3, 5, 8, 13, 21, 34, 55])(
  "answers are those without a loss, though the GPU is lost after %i waits, again and again",
  async (lives) => {
    const inputs = () => [
      inputOf(),
      inputOf({ sampling: SAMPLED }),
      inputOf({ sampling: PENALIZED, logprobs: 2 }),
      inputOf({ ids: [1, 2, 3], maxTokens: 50 }),
      inputOf({ constraint: alternating(), maxTokens: 12 }),
    ];
    const { holder: calm } = holderOf();
    const expected = await Promise.all(inputs().map((input) => read(calm, input)));
    // Every GPU lives longer than the one before.
    let next = lives;
    const lost = vi.fn();
    const { holder, made } = holderOf({ onLost: lost }, () => (next *= 3) / 3);
    expect(await Promise.all(inputs().map((input) => read(holder, input)))).toEqual(expected);
    expect(made.length).toBeGreaterThan(1);
    expect(lost).toHaveBeenCalledTimes(made.length - 1);
    for (const { release } of made.slice(0, -1)) expect(release).toHaveBeenCalledOnce();
    expect(made.at(-1)!.release).not.toHaveBeenCalled();
    expect(holder.stats).toMatchObject({ requests: 0, isLoaded: true });
  },
);

test("a request ends with the loss, where no GPU gives a token, and the next one tries again", async () => {
  let lives = 1;
  const { holder, made } = holderOf({}, () => lives);
  await expect(read(holder, inputOf())).rejects.toBe(LOST);
  expect(made).toHaveLength(4);
  lives = Infinity;
  expect(await read(holder, inputOf())).toHaveLength(30);
});

test("waits for a GPU that takes a while to come back, and gives up in the end", async () => {
  vi.useFakeTimers();
  const first = fakeModel();
  const start = vi.fn<() => Promise<RunningModel>>();
  const holder = new EngineHolder(first.model, start);
  start.mockRejectedValue(new NoGpuError("no adapter"));
  first.gpu.lost = LOST;
  const refused = expect(read(holder, inputOf())).rejects.toThrow(
    new DeviceLostError("the GPU does not come back: no adapter"),
  );
  await vi.runAllTimersAsync();
  await refused;
  expect(start).toHaveBeenCalledTimes(4);
  start.mockRejectedValueOnce(new NoGpuError("no adapter")).mockResolvedValue(fakeModel().model);
  const answer = read(holder, inputOf());
  await vi.runAllTimersAsync();
  expect(await answer).toHaveLength(30);
});

test("a GPU that comes back with too little memory for an answer is an error with the numbers", async () => {
  const first = fakeModel(20);
  const second = fakeModel();
  Object.assign(second.model.engine, { contextLength: 41 });
  const shrinking = new EngineHolder(first.model, async () => second.model);
  await expect(read(shrinking, inputOf())).rejects.toThrow(
    /now has memory for 41 tokens: prompt and answer have \d+ so far/,
  );
});

test("another error than a loss is the request's, at once", async () => {
  const first = fakeModel();
  const start = vi.fn(async () => Promise.reject<RunningModel>(new Error("the store is broken")));
  const holder = new EngineHolder(first.model, start);
  const failing = {
    ...inputOf(),
    constraint: { mask: () => Promise.reject<boolean>(new Error("no mask")), accept() {} },
  };
  await expect(read(holder, failing)).rejects.toThrow("no mask");
  expect(start).not.toHaveBeenCalled();
  first.gpu.lost = LOST;
  await expect(read(holder, inputOf())).rejects.toThrow("the store is broken");
  expect(start).toHaveBeenCalledOnce();
});

test("an abort ends a request that waits for the GPU", async () => {
  const first = fakeModel();
  const holder = new EngineHolder(first.model, () => new Promise(() => {}));
  first.gpu.lost = LOST;
  const controller = new AbortController();
  const answer = read(holder, inputOf({ signal: controller.signal }));
  controller.abort(new Error("enough"));
  await expect(answer).rejects.toThrow("enough");
  expect(holder.stats.requests).toBe(0);
});

test("an idle model leaves the GPU, and comes back with the next request", async () => {
  vi.useFakeTimers();
  const { holder, made } = holderOf({ keepAliveMs: 5000 });
  await vi.advanceTimersByTimeAsync(4000);
  const answer = await read(holder, inputOf());
  await vi.advanceTimersByTimeAsync(4000);
  expect(made[0]!.release).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1000);
  expect(made[0]!.release).toHaveBeenCalledOnce();
  expect(holder.stats).toMatchObject({ isLoaded: false, gpuBytes: 0 });
  expect(await read(holder, inputOf())).toEqual(answer);
  expect(made).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(5000);
  expect(holder.stats.isLoaded).toBe(false);
});

test("a model that answers is not unloaded; a disposed one does not come back", async () => {
  const { holder, made } = holderOf();
  const running = holder.generate(inputOf());
  await running.next();
  expect(holder.unload()).toBe(false);
  await running.return();
  expect(holder.unload()).toBe(true);
  expect(holder.stats.isLoaded).toBe(false);
  expect(await read(holder, inputOf())).toHaveLength(30);
  holder.dispose();
  await expect(read(holder, inputOf())).rejects.toThrow("the model was disposed");
  expect(made).toHaveLength(2);
});
