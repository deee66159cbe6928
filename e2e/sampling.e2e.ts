import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import type { ChatCompletion, Choice } from "../src/openai/wire.ts";
import { openSample } from "./browser.ts";

let page: Page;
beforeAll(async () => {
  page = await openSample();
});

const HELLO = [{ role: "user", content: "Hello!" }];
const IMAGE = [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: "/e2e/goldens/sample/red-circle.png" } },
      { type: "text", text: "What's in this image?" },
    ],
  },
];

/** A request whose answer differs by seed: the model does not know what to say, and samples from many tokens. */
const UNSURE = {
  messages: [{ role: "user", content: "x" }],
  temperature: 2,
  ignore_eos: true,
  max_tokens: 12,
};

/** Sends requests at once. */
async function ask(...bodies: object[]): Promise<ChatCompletion[]> {
  const answers = await page.evaluate(
    (bodies) =>
      Promise.all(
        bodies.map(async (body) => {
          const { answer, post } = window.tools;
          return answer(await post({ ...body, return_token_ids: true }));
        }),
      ),
    bodies,
  );
  return answers.map(({ status, body }) => {
    expect(status, JSON.stringify(body)).toBe(200);
    return body as ChatCompletion;
  });
}

async function choiceOf(body: object): Promise<Choice> {
  const [answer] = await ask(body);
  return answer?.choices[0] ?? expect.fail("no choice");
}

const idsOf = async (body: object) => (await choiceOf(body)).token_ids ?? [];

describe("seed", () => {
  test("gives the same answer again, with another request before it or at the same time", async () => {
    const body = { ...UNSURE, seed: 7 };
    const first = await idsOf(body);
    expect(await idsOf(body)).toEqual(first);
    const others = [
      { ...UNSURE, seed: 8 },
      { messages: IMAGE, temperature: 1, seed: 7 },
    ];
    for (const other of others) {
      expect(await idsOf(other)).not.toEqual(first);
      expect(await idsOf(body)).toEqual(first);
    }
    const [one, , two] = await ask(body, others[0] as object, body);
    for (const answer of [one, two]) expect(answer?.choices[0]?.token_ids).toEqual(first);
  });

  test("gives the same answer as a stream", async () => {
    const body = { ...UNSURE, seed: 7, stream: true, return_token_ids: true };
    const streamed = await page.evaluate(
      async (body) => window.tools.chunks(await window.tools.post(body)),
      body,
    );
    const ids = streamed.flatMap(({ choices }) => choices[0]?.token_ids ?? []);
    expect(ids).toEqual(await idsOf({ ...UNSURE, seed: 7 }));
  });

  test("counts up by one for each of several choices", async () => {
    const [answer] = await ask({ ...UNSURE, seed: 7, n: 3 });
    const ids = answer?.choices.map(({ token_ids }) => token_ids);
    const alone = [];
    for (const seed of [7, 8, 9]) alone.push(await idsOf({ ...UNSURE, seed }));
    expect(ids).toEqual(alone);
  });

  test("differs each time when the request has none", async () => {
    expect(await idsOf(UNSURE)).not.toEqual(await idsOf(UNSURE));
  });
});

describe("sampling", () => {
  let greedy: readonly number[];
  beforeAll(async () => {
    greedy = await idsOf({ ...UNSURE, temperature: 0 });
  });

  test("is greedy at temperature 0, which is the checkpoint's default", async () => {
    expect(await idsOf({ ...UNSURE, temperature: null })).toEqual(greedy);
    expect(await idsOf({ ...UNSURE, seed: 1 })).not.toEqual(greedy);
  });

  test("comes closer to the greedy answer at a lower temperature", async () => {
    for (const seed of [1, 2]) {
      const [low, one, two] = await ask(
        ...[0.01, 1, 2].map((temperature) => ({ ...UNSURE, temperature, seed })),
      );
      expect(low?.choices[0]?.token_ids).toEqual(greedy);
      expect(one?.choices[0]?.token_ids).not.toEqual(two?.choices[0]?.token_ids);
    }
  });

  test.each([{ top_k: 1 }, { top_p: 0 }, { min_p: 1 }])(
    "with %o, which keeps one token, is greedy at any temperature",
    async (filter) => {
      for (const seed of [1, 2]) {
        expect(await idsOf({ ...UNSURE, ...filter, seed })).toEqual(greedy);
      }
      expect(await idsOf({ ...UNSURE, seed: 1 })).not.toEqual(greedy);
    },
  );

  const GREEDY_HELLO = { messages: HELLO, temperature: 0, ignore_eos: true, max_tokens: 96 };
  const countKinds = async (body: object) => new Set(await idsOf(body)).size;
  let kinds: number | undefined;
  test.each([{ frequency_penalty: 2 }, { presence_penalty: 2 }, { repetition_penalty: 1.8 }])(
    "with %o repeats less",
    async (penalty) => {
      kinds ??= await countKinds(GREEDY_HELLO);
      expect(await countKinds({ ...GREEDY_HELLO, ...penalty })).toBeGreaterThan(kinds);
    },
  );

  test("always takes a token with a bias of 100, and never one with a bias of -100", async () => {
    const [first] = greedy as [number];
    const always = { ...UNSURE, max_tokens: 4, logit_bias: { [first]: 100 } };
    expect(await idsOf(always)).toEqual([first, first, first, first]);
    const never = { ...UNSURE, logit_bias: { [first]: -100 } };
    expect(await idsOf(never)).not.toContain(first);
  });
});

describe("an answer", () => {
  test("has at least min_tokens tokens", async () => {
    const plain = await choiceOf({ messages: HELLO });
    const length = plain.token_ids?.length ?? 0;
    expect(plain.finish_reason).toBe("stop");
    const longer = await idsOf({ messages: HELLO, min_tokens: length + 5 });
    expect(longer.length).toBeGreaterThan(length + 5);
  });

  test("ends at stop_token_ids, and with ignore_eos not at the checkpoint's end tokens", async () => {
    const { token_ids = [] } = await choiceOf({ messages: HELLO });
    const stop = token_ids[2] as number;
    expect(await choiceOf({ messages: HELLO, stop_token_ids: [stop] })).toMatchObject({
      finish_reason: "stop",
      matched_stop: stop,
      token_ids: token_ids.slice(0, token_ids.indexOf(stop) + 1),
    });
    const max_tokens = token_ids.length + 3;
    const on = await choiceOf({ messages: HELLO, ignore_eos: true, max_tokens });
    expect(on).toMatchObject({ finish_reason: "length", matched_stop: null });
    expect(on.token_ids?.length).toBe(max_tokens);
  });

  test("keeps its special tokens and its stop string when asked to", async () => {
    const { message } = await choiceOf({ messages: IMAGE });
    const whole = await choiceOf({
      messages: IMAGE,
      skip_special_tokens: false,
      no_stop_trim: true,
    });
    expect(whole.message.content).toBe(`${message.content}<end_of_utterance>`);
  });

  test("continues the last message", async () => {
    const begun = { role: "assistant", content: "A red" };
    const body = { messages: [...IMAGE, begun], continue_final_message: true };
    expect((await choiceOf(body)).message.content).toBe(" circle.");
  });

  test("has logprobs of a probability distribution", async () => {
    const { logprobs, message } = await choiceOf({
      messages: IMAGE,
      temperature: 0,
      logprobs: true,
      top_logprobs: 20,
    });
    const content = logprobs?.content ?? [];
    const bytes = content.flatMap((token) => token.bytes);
    expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(message.content);
    for (const { top_logprobs: top, ...token } of content) {
      expect(top).toHaveLength(20);
      expect(top[0]).toEqual(token); // The request is greedy.
      const likely = top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
      expect(likely).toBeLessThanOrEqual(1 + 1e-6);
      const order = top.map(({ logprob }) => logprob);
      expect(order).toEqual(order.toSorted((a, b) => b - a));
    }
    expect(content.length).toBeGreaterThan(2);
  });
});
