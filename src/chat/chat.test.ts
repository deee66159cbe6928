import { describe, expect, test } from "vitest";
import { ScriptedGenerator, dataUrl, scriptedModel } from "../../tests/chat-support.ts";
import { random } from "../../tests/seeded.ts";
import type { ChatAnswer, AnswerDelta } from "./answer-types.ts";
import { type ChatRequest, chat } from "./chat.ts";
import type { ChatMessage } from "./messages.ts";

const HELLO: ChatMessage[] = [{ role: "user", content: "Hello" }];
const EOS = 1023;

const generator = new ScriptedGenerator();
const model = scriptedModel(generator);
const idsOf = (text: string) => model.tokenizer.encode(text, { addSpecialTokens: false });

/** The deltas of an answer whose tokens are `ids`. */
let usage: ChatAnswer["usage"];

async function run(
  ids: readonly number[],
  request: Partial<ChatRequest> = {},
): Promise<AnswerDelta[]> {
  generator.ids = ids;
  const answer = await chat(model, { messages: HELLO, ...request });
  usage = answer.usage;
  const all = [];
  for await (const delta of answer.deltas) all.push(delta);
  return all;
}

const textOf = (deltas: readonly AnswerDelta[]) => deltas.map(({ text }) => text).join("");

describe("an answer ends", () => {
  test("at the end-of-sequence token, which is left out of the text", async () => {
    const ids = [...idsOf("Two red circles."), EOS];
    const deltas = await run([...ids, ...idsOf("More")], { skipSpecialTokens: false });
    expect(textOf(deltas)).toBe("Two red circles.");
    expect(deltas.at(-1)).toEqual({
      choice: 0,
      text: "",
      token: EOS,
      finish: { reason: "stop", matched: EOS },
    });
    expect(usage.completionTokens).toBe(ids.length);
  });

  test("at a stop token of the request", async () => {
    const [stop] = idsOf("!") as [number];
    const deltas = await run([...idsOf("Yes!"), EOS], { stopTokenIds: [stop] });
    expect(textOf(deltas)).toBe("Yes");
    expect(deltas.at(-1)?.finish).toEqual({ reason: "stop", matched: stop });
    expect(generator.inputs.at(-1)?.stopTokenIds).toEqual([EOS, stop]);
  });

  test("after the end-of-sequence token with ignoreEos", async () => {
    const deltas = await run([...idsOf("a"), EOS, ...idsOf("b")], {
      ignoreEos: true,
      maxTokens: 3,
    });
    expect(textOf(deltas)).toBe("ab");
    expect(deltas.at(-1)?.finish).toEqual({ reason: "length", matched: null });
  });

  test.each([
    ["the stop string", "A red circle. END", { stop: [" END"] }, " END"],
    ["a stop string that ends in a token", "A red cir", { stop: ["cir"] }, "cir"],
    [
      "the stop token's text",
      "A red circle. END of it<end_of_utterance>",
      { skipSpecialTokens: false },
      EOS,
    ],
    ["no text of a skipped special token", "A red circle. END of it", {}, EOS],
  ])("with keepStop, including %s", async (_, text, options, matched) => {
    const ids = [...idsOf("A red circle. END of it"), EOS];
    const deltas = await run(ids, { keepStop: true, ...options });
    expect(textOf(deltas)).toBe(text);
    expect(deltas.at(-1)?.finish?.matched).toBe(matched);
  });

  test("at the length limit, without an incomplete character", async () => {
    const ids = idsOf("熊");
    expect(ids.length).toBe(3);
    const deltas = await run(ids, { maxTokens: 2 });
    expect(deltas.map(({ text }) => text)).toEqual(["", "", ""]);
    expect(deltas.at(-1)).toMatchObject({ finish: { reason: "length" } });
    expect(usage.completionTokens).toBe(2);
  });

  test("at a stop string that spans several tokens, and stops the model", async () => {
    const ids = idsOf("A red circle. END of it");
    const before = generator.ended;
    const deltas = await run(ids, { stop: ["xyz", " END"] });
    expect(textOf(deltas)).toBe("A red circle.");
    expect(deltas.at(-1)?.finish).toEqual({ reason: "stop", matched: " END" });
    expect(generator.ended).toBe(before + 1);
    const { completionTokens } = usage;
    expect(completionTokens).toBeLessThan(ids.length);
    expect(model.tokenizer.decode(ids.slice(0, completionTokens))).toContain(" END");
  });

  test("with the beginning of an incomplete stop string", async () => {
    expect(textOf(await run([...idsOf("A red EN"), EOS], { stop: ["END"] }))).toBe("A red EN");
  });

  test("where the complete text first contains a stop string, for any text and stop strings", async () => {
    const next = random(11);
    for (let round = 0; round < 300; round++) {
      const ids = Array.from({ length: 1 + next(30) }, () => 3 + next(980));
      const whole = model.tokenizer.decode(ids);
      const from = next(whole.length);
      const stop = whole.slice(from, from + 1 + next(6));
      const deltas = await run([...ids, EOS], { stop: stop ? [stop] : [] });
      const expected = stop ? whole.slice(0, whole.indexOf(stop)) : whole;
      expect(textOf(deltas)).toBe(expected);
      expect(deltas.at(-1)?.finish?.matched).toBe(stop || EOS);
    }
  });
});

describe("several choices", () => {
  const url = dataUrl("e2e/goldens/sample/red-circle.png");
  const content: ChatMessage["content"] = [{ type: "image_url", image_url: { url } }];
  const messages: ChatMessage[] = [{ role: "user", content }];

  test("share a prompt and have successive seeds", async () => {
    const before = generator.inputs.length;
    const ids = [...idsOf("A red circle."), EOS];
    const deltas = await run(ids, { messages, choices: 3, sampling: { seed: 40 } });
    for (const choice of [0, 1, 2]) {
      const own = deltas.filter((delta) => delta.choice === choice);
      expect(textOf(own)).toBe("A red circle.");
      expect(own.at(-1)).toMatchObject({ finish: { matched: EOS } });
    }
    expect(usage.completionTokens).toBe(3 * ids.length);
    const order = deltas.map(({ choice }) => choice);
    expect(order.slice(0, 6)).toEqual([0, 1, 2, 0, 1, 2]);
    const inputs = generator.inputs.slice(before);
    expect(inputs.map(({ sampling }) => sampling.seed)).toEqual([40, 41, 42]);
    for (const input of inputs) {
      expect(input.ids).toBe(inputs[0]?.ids);
      expect(input.images[0]?.decoded).toBe(inputs[0]?.images[0]?.decoded);
    }
  });

  test.each([0, 5, -3, 2 ** 53 - 1, 2 ** 60, 2 ** 63])("differ with the seed %d", async (seed) => {
    const before = generator.inputs.length;
    await run([EOS], { choices: 8, sampling: { seed } });
    const seeds = generator.inputs.slice(before).map(({ sampling }) => sampling.seed);
    expect(seeds[0]).toBe(seed);
    expect(new Set(seeds).size).toBe(8);
  });

  test("all end if the answer is abandoned", async () => {
    const { given, ended } = generator;
    generator.ids = idsOf("A long answer");
    const { deltas } = await chat(model, { messages: HELLO, choices: 3 });
    await deltas.next();
    await deltas.return();
    expect(generator.ended - ended).toBe(3);
    expect(generator.given - given).toBeLessThan(9);
  });
});

describe("the maximum number of tokens", () => {
  const limits = async (contextLength: number, maxTokens?: number, strictMaxTokens = false) => {
    const small = new ScriptedGenerator();
    small.contextLength = contextLength;
    const strict = { ...model, generator: small, strictMaxTokens };
    const answer = await chat(strict, { messages: HELLO, maxTokens });
    await answer.deltas.next();
    return small.inputs[0]?.maxTokens;
  };
  const promptTokens = chat(model, { messages: HELLO }).then(({ prompt }) => prompt.ids.length);

  test("is what fits into the context", async () => {
    expect(await limits((await promptTokens) + 5)).toBe(5);
    expect(await limits((await promptTokens) + 5, 5)).toBe(5);
    expect(await limits((await promptTokens) + 5, 3)).toBe(3);
    expect(await limits((await promptTokens) + 1)).toBe(1);
  });

  test("is lowered to what fits, unless that is to be refused", async () => {
    const prompt = await promptTokens;
    expect(await limits(prompt + 5, 6)).toBe(5);
    expect(await limits(prompt + 5, Infinity)).toBe(5);
    expect(await limits(prompt + 5, 5, true)).toBe(5);
    expect(await limits(prompt + 5, Infinity, true)).toBe(5);
    await expect(limits(prompt + 5, 6, true)).rejects.toThrow(`asked for ${prompt + 6} tokens`);
  });

  test("without room for one token is refused", async () => {
    const prompt = await promptTokens;
    const refused = { code: "context_length_exceeded", subject: "messages" };
    await expect(limits(prompt)).rejects.toMatchObject(refused);
    await expect(limits(2)).rejects.toThrow(
      `maximum context length is 2 tokens. However, you asked for ${prompt + 1} tokens: ` +
        `${prompt} in the messages (${prompt} of text, 0 of images) and at least 1`,
    );
  });

  test("is refused with a separate count of image tokens", async () => {
    const url = dataUrl("e2e/goldens/sample/red-circle.png");
    const content: ChatMessage["content"] = [{ type: "image_url", image_url: { url } }];
    const messages: ChatMessage[] = [{ role: "user", content }];
    const { prompt } = await chat(model, { messages });
    expect(prompt.imageTokens).toBe(16);
    const small = new ScriptedGenerator();
    small.contextLength = 10;
    await expect(chat({ ...model, generator: small }, { messages })).rejects.toThrow(
      `(${prompt.ids.length - 16} of text, 16 of images)`,
    );
  });
});

test("more images than the engine has room for are refused", async () => {
  const url = dataUrl("e2e/goldens/sample/red-circle.png");
  const image = { type: "image_url", image_url: { url } } as const;
  const ask = (count: number) => {
    const few = new ScriptedGenerator();
    few.maxImages = 2;
    const messages: ChatMessage[] = [{ role: "user", content: new Array(count).fill(image) }];
    return chat({ ...model, generator: few }, { messages });
  };
  expect((await ask(2)).prompt.imageTokens).toBe(32);
  await expect(ask(3)).rejects.toMatchObject({ code: "invalid_value", subject: "messages" });
  await expect(ask(3)).rejects.toThrow(
    "expected at most 2 images, since this device has no memory for more, but got 3",
  );
});

describe("sampling", () => {
  const sampling = async (asked: ChatRequest["sampling"], temperature = 0.7) => {
    const defaults = {
      ...model.defaults,
      sampling: { temperature, topK: 20, topP: 0.8, minP: 0.1 },
    };
    generator.ids = [];
    const answer = await chat({ ...model, defaults }, { messages: HELLO, sampling: asked });
    await answer.deltas.next();
    return generator.inputs.at(-1)?.sampling;
  };

  test("prefers the request's settings to the checkpoint's", async () => {
    expect(await sampling({ seed: 4 })).toEqual({
      temperature: 0.7,
      topK: 20,
      topP: 0.8,
      minP: 0.1,
      seed: 4,
    });
    const asked = { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 0 };
    expect(await sampling(asked)).toEqual(asked);
  });

  test("uses the checkpoint's repetition penalty unless the request has one", async () => {
    const defaults = {
      ...model.defaults,
      sampling: { ...model.defaults.sampling, repetitionPenalty: 1.05 },
    };
    const penalty = async (repetitionPenalty?: number) => {
      generator.ids = [];
      const asked = { repetitionPenalty };
      const answer = await chat({ ...model, defaults }, { messages: HELLO, sampling: asked });
      await answer.deltas.next();
      return generator.inputs.at(-1)?.sampling.repetitionPenalty;
    };
    expect([await penalty(), await penalty(1), await penalty(1.3)]).toEqual([1.05, 1, 1.3]);
  });

  test("is greedy at a tiny temperature", async () => {
    expect((await sampling({ temperature: 9e-7 }))?.temperature).toBe(0);
    expect((await sampling({ temperature: 1e-6 }))?.temperature).toBe(1e-6);
    expect((await sampling({}, 1e-9))?.temperature).toBe(0);
  });

  test("has another seed each time unless one is given", async () => {
    const seeds = [await sampling({}), await sampling({})].map((settings) => settings?.seed);
    expect(seeds[0]).not.toBe(seeds[1]);
    for (const seed of seeds) expect(Number.isInteger(seed)).toBe(true);
  });
});

describe("stopping", () => {
  test("an aborted signal throws its reason before any image is read", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(chat(model, { messages: HELLO, signal })).rejects.toBe(reason);
  });

  test("a signal stops the model with its reason", async () => {
    const stalled = new ScriptedGenerator(idsOf("A"));
    stalled.stalls = true;
    const controller = new AbortController();
    const { signal } = controller;
    const { deltas } = await chat({ ...model, generator: stalled }, { messages: HELLO, signal });
    expect((await deltas.next()).value).toMatchObject({ text: "A" });
    const next = deltas.next();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(next).rejects.toBe(reason);
    expect(stalled.ended).toBe(1);
  });

  test("returning from the deltas stops the model", async () => {
    const long = new ScriptedGenerator(idsOf("A long answer"));
    const { deltas, usage } = await chat({ ...model, generator: long }, { messages: HELLO });
    for await (const delta of deltas) {
      expect(delta.token).toBe(long.ids[0]);
      expect(usage.completionTokens).toBe(1);
      break;
    }
    expect(long).toMatchObject({ given: 1, ended: 1 });
  });
});
