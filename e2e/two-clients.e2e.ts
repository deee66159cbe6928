import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import type { ChatCompletion } from "../src/openai/wire.ts";
import { openSample } from "./browser.ts";

const content = [
  { type: "image_url", image_url: { url: "/e2e/goldens/sample/circle-and-star.png" } },
  { type: "text", text: "What is in this image?" },
];
/** The request that is kept. It samples with a seed, so one step more or less would change its answer. */
const KEPT = {
  messages: [{ role: "user", content }],
  temperature: 1.5,
  seed: 11,
  max_tokens: 48,
  ignore_eos: true,
  return_token_ids: true,
};

let page: Page;
/** The kept answer without another request. */
let alone: number[] | undefined;
beforeAll(async () => {
  page = await openSample();
  const { body } = await page.evaluate(async (body) => {
    const { answer, post } = window.tools;
    return answer(await post(body));
  }, KEPT);
  alone = (body as ChatCompletion).choices[0]?.token_ids;
  expect(alone).toHaveLength(KEPT.max_tokens);
});

type Order = "runs and is aborted" | "waits and is aborted";

/**
 * Asks for the kept answer, and aborts another request at the same time.
 *
 * @param streamed whether the kept request streams, and whether the aborted one does
 */
function askBeside(order: Order, [kept, aborted]: readonly [boolean, boolean], other: object) {
  return page.evaluate(
    async ({ order, kept, aborted, body, other }) => {
      const { chunks, loadSample } = window.tools;
      const vlm = await loadSample();
      const send = (body: object, signal?: AbortSignal) =>
        fetch("/v1/chat/completions", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
          signal: signal ?? null,
        });
      const until = async (reached: (stats: { requests: number; steps: number }) => boolean) => {
        while (!reached(await vlm.stats())) await new Promise((done) => setTimeout(done, 1));
      };
      const idsOf = async (response: Response): Promise<unknown> => {
        if (kept) {
          const all = await chunks(response);
          return all.flatMap(({ choices }) => choices[0]?.token_ids ?? []);
        }
        return ((await response.json()) as { choices: { token_ids: number[] }[] }).choices[0]
          ?.token_ids;
      };

      await until(({ requests }) => requests === 0);
      const { steps } = await vlm.stats();
      const controller = new AbortController();
      const sendOther = () =>
        send({ ...other, stream: aborted }, controller.signal)
          .then(async ({ body }) => {
            const reader = body?.getReader();
            while (reader && !(await reader.read()).done);
          })
          .then(
            () => "answered",
            (error: Error) => error.name,
          );
      const sendKept = () => send({ ...body, stream: kept }).then(idsOf);

      let ended: Promise<string>;
      let ids: Promise<unknown>;
      if (order === "runs and is aborted") {
        ended = sendOther();
        await until((stats) => stats.steps > steps + 2);
        ids = sendKept();
        await until(({ requests }) => requests === 2);
      } else {
        ids = sendKept();
        await until((stats) => stats.steps > steps + 2);
        ended = sendOther();
        await until(({ requests }) => requests === 2);
      }
      controller.abort();
      return { ended: await ended, ids: await ids };
    },
    { order, kept, aborted, body: KEPT, other },
  );
}

describe.each<Order>(["runs and is aborted", "waits and is aborted"])("the other %s", (order) => {
  const question = [{ role: "user", content: "Hello!" }];
  test.each([
    { what: "both whole", streams: [false, false], messages: question },
    { what: "both streamed", streams: [true, true], messages: question },
    { what: "streamed, the other whole", streams: [true, false], messages: question },
    { what: "whole, the other streamed", streams: [false, true], messages: question },
    { what: "about the same image", streams: [true, true], messages: KEPT.messages },
  ] as const)("$what", async ({ streams, messages }) => {
    const other = { messages, temperature: 0.5, ignore_eos: true, max_tokens: 1000 };
    expect(await askBeside(order, streams, other)).toEqual({ ended: "AbortError", ids: alone });
  });
});

test("a stream without a reader does not delay other requests", async () => {
  const messages = [{ role: "user", content: "Hello!" }];
  const unread = { messages, temperature: 0.5, ignore_eos: true, max_tokens: 200, stream: true };
  const { ids, texts } = await page.evaluate(
    async ({ unread, kept }) => {
      const { answer, chunks, loadSample, post } = window.tools;
      await loadSample();
      const stalled = await post(unread);
      const { body } = await answer(await post(kept));
      // The whole answer is buffered until somebody reads it.
      const late = await chunks(stalled);
      const texts = late.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? ""));
      return { ids: body, texts: texts.length };
    },
    { unread, kept: KEPT },
  );
  expect((ids as ChatCompletion).choices[0]?.token_ids).toEqual(alone);
  expect(texts).toBeGreaterThan(100);
});
