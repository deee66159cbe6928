import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import type { ChatCompletion, RequestMessage } from "../src/openai/wire.ts";
import { openSample } from "./browser.ts";
import { ROOT } from "./root.ts";

/** A conversation with the greedy answer of the reference implementation. */
interface Case {
  readonly messages: RequestMessage[];
  readonly input_ids: number[];
  readonly output_ids: number[];
  /** Trimmed. The answer itself begins with a space, which is part of its first token. */
  readonly text: string;
}

const FOLDER = "e2e/goldens/sample";
const cases = JSON.parse(readFileSync(join(ROOT, FOLDER, "cases.json"), "utf8")) as Case[];

/** Replaces the file names of images by paths. */
function withPaths(messages: readonly RequestMessage[]): RequestMessage[] {
  return messages.map(({ content, ...message }) => {
    if (!Array.isArray(content)) return { ...message, content };
    const parts = content.map((part) =>
      part.type === "image_url"
        ? { ...part, image_url: { url: `/${FOLDER}/${part.image_url.url}` } }
        : part,
    );
    return { ...message, content: parts };
  });
}

/** A short name of a case: its last question. */
function question({ messages }: Case): string {
  const content = messages.at(-1)?.content ?? "";
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : "[image]")).join(" ");
}

/** One of so many cases is asked for as a stream, too. */
const STREAMED = 4;

let page: Page;
beforeAll(async () => {
  page = await openSample();
});

describe("the sample model answers as the reference did", () => {
  test.each(cases.map((golden, i) => [i, question(golden), golden] as const))(
    "%i: %s",
    async (i, _, golden) => {
      const { whole, streamed } = await page.evaluate(
        async ({ messages, streams }) => {
          const { answer, chunks, post } = window.tools;
          const request = { messages, temperature: 0, return_token_ids: true };
          const whole = await answer(await post(request));
          const include_usage = { stream: true, stream_options: { include_usage: true } };
          const body = { ...request, ...include_usage };
          return { whole, streamed: streams ? await chunks(await post(body)) : undefined };
        },
        { messages: withPaths(golden.messages), streams: i % STREAMED === 0 },
      );
      const usage = {
        prompt_tokens: golden.input_ids.length,
        completion_tokens: golden.output_ids.length,
      };
      expect(whole).toMatchObject({
        status: 200,
        body: { choices: [{ message: { role: "assistant" }, finish_reason: "stop" }], usage },
      });
      const { choices, prompt_token_ids } = whole.body as ChatCompletion;
      expect(prompt_token_ids).toEqual(golden.input_ids);
      expect(choices[0]?.token_ids).toEqual(golden.output_ids);
      const text = choices[0]?.message.content;
      expect(text?.trim()).toBe(golden.text);
      if (!streamed) return;
      const deltas = streamed.map(({ choices }) => choices[0]?.delta.content ?? "");
      expect(deltas.join("")).toBe(text);
      const ids = streamed.flatMap(({ choices }) => choices[0]?.token_ids ?? []);
      expect(ids).toEqual(golden.output_ids);
      expect(streamed.at(-2)?.choices[0]?.finish_reason).toBe("stop");
      expect(streamed.at(-1)).toMatchObject({ choices: [], usage });
    },
  );
});

test("several choices about one image", async () => {
  const { body } = await page.evaluate(async (url) => {
    const content = [
      { type: "image_url", image_url: { url } },
      { type: "text", text: "What's in this image?" },
    ];
    const { answer, post } = window.tools;
    return answer(await post({ messages: [{ role: "user", content }], temperature: 0, n: 2 }));
  }, `/${FOLDER}/red-circle.png`);
  const { choices } = body as ChatCompletion;
  expect(choices.map(({ index }) => index)).toEqual([0, 1]);
  for (const { message } of choices) expect(message.content?.trim()).toBe("A red circle.");
});

describe("an image given as", () => {
  const file = `/${FOLDER}/red-circle.png`;
  test.each([
    { form: "a path", make: async (path: string) => path },
    { form: "a relative path", make: async (path: string) => `../goldens/${path.slice(13)}` },
    { form: "a URL", make: async (path: string) => new URL(path, location.href).href },
    {
      form: "a blob: URL",
      make: async (path: string) => URL.createObjectURL(await (await fetch(path)).blob()),
    },
    {
      form: "a data: URL",
      make: async (path: string) => {
        const bytes = new Uint8Array(await (await fetch(path)).arrayBuffer());
        return `data:image/png;base64,${btoa(String.fromCharCode(...bytes))}`;
      },
    },
    {
      form: "bare base64",
      make: async (path: string) => {
        const bytes = new Uint8Array(await (await fetch(path)).arrayBuffer());
        return btoa(String.fromCharCode(...bytes));
      },
    },
  ])("$form is seen", async ({ make }) => {
    const url = await page.evaluate(`(${make})(${JSON.stringify(file)})`);
    const whole = await page.evaluate(async (url) => {
      const content = [
        { type: "image_url", image_url: { url } },
        { type: "text", text: "What's in this image?" },
      ];
      const { answer, post } = window.tools;
      return answer(await post({ messages: [{ role: "user", content }], temperature: 0 }));
    }, url);
    const { choices } = whole.body as ChatCompletion;
    expect(choices[0]?.message.content?.trim()).toBe("A red circle.");
  });
});
