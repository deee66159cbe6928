import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import { openSample } from "./browser.ts";

let page: Page;
beforeAll(async () => {
  page = await openSample();
});

describe.each(["vlm.fetch", "vlm.intercept()"] as const)("the openai package by %s", (through) => {
  test("lists the model", async () => {
    const { id, listed } = await page.evaluate(async (through) => {
      const openai = await window.tools.client(through);
      const { id } = await window.tools.loadSample();
      const { data } = await openai.models.list();
      return { id, listed: data.map((model) => model.id) };
    }, through);
    expect(listed).toEqual([id]);
  });

  test("gets the same answer whole, as a stream and from its stream helper", async () => {
    const result = await page.evaluate(async (through) => {
      const { completions } = (await window.tools.client(through)).chat;
      const request = {
        model: "default",
        temperature: 0,
        messages: [
          {
            role: "user" as const,
            content: [
              {
                type: "image_url" as const,
                image_url: { url: "/e2e/goldens/sample/circle-and-star.png" },
              },
              { type: "text" as const, text: "What is in this image?" },
            ],
          },
        ],
      };
      const [whole] = (await completions.create(request)).choices;
      let text = "";
      let finish: string | null | undefined;
      for await (const { choices } of await completions.create({ ...request, stream: true })) {
        text += choices[0]?.delta.content ?? "";
        finish = choices[0]?.finish_reason ?? finish;
      }
      const helped = await completions.stream(request).finalContent();
      return {
        texts: [whole?.message.content, text, helped].map((text) => text?.trim()),
        finishes: [whole?.finish_reason, finish],
      };
    }, through);
    const answer = "A red circle and a small blue star.";
    expect(result).toEqual({ texts: [answer, answer, answer], finishes: ["stop", "stop"] });
  });

  test("breaking out of its stream stops the GPU work", async () => {
    const maxTokens = 1000;
    const { before, after, later } = await page.evaluate(
      async ([through, maxTokens]) => {
        const { client, stepsWhenIdle } = window.tools;
        const openai = await client(through);
        const before = await stepsWhenIdle();
        const request = {
          model: "default",
          messages: [{ role: "user" as const, content: "Hello!" }],
          max_tokens: maxTokens,
          ignore_eos: true,
          stream: true as const,
        };
        for await (const { choices } of await openai.chat.completions.create(request)) {
          if (choices[0]?.delta.content) break;
        }
        const after = await stepsWhenIdle();
        await openai.models.list();
        return { before, after, later: await stepsWhenIdle() };
      },
      [through, maxTokens] as const,
    );
    expect(after - before).toBeGreaterThan(0);
    expect(after - before).toBeLessThan(maxTokens / 2);
    expect(later).toBe(after);
  });

  test("throws the error class that OpenAI's server would cause", async () => {
    const result = await page.evaluate(async (through) => {
      const openai = await window.tools.client(through);
      const request = { model: "gpt-9", messages: [{ role: "user" as const, content: "Hello!" }] };
      return openai.chat.completions.create(request).then(
        () => "no error",
        ({ constructor, status, code, param }) => [constructor.name, status, code, param],
      );
    }, through);
    expect(result).toEqual([
      expect.stringMatching(/NotFoundError$/),
      404,
      "model_not_found",
      "model",
    ]);
  });
});
