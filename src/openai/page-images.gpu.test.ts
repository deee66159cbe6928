import { expect, test } from "vitest";
import { openGolden } from "../../tests/golden.ts";
import { chatModel } from "../chat/model.ts";
import type { GenerationInput } from "../engine/generation.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createModel } from "../models/registry.ts";
import { decodeImage } from "../platform/decode-image.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion } from "./wire.ts";

/** A PNG of one pixel. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

test.each([
  ["bare base64", { image_url: { url: PNG } }],
  ["bare base64 in the place of image_url", { image_url: PNG }],
  ["a data URL", { image_url: { url: `data:image/png;base64,${PNG}` } }],
])("a page takes a small PNG as %s", async (_, image) => {
  const { checkpoint } = await openGolden("smolvlm");
  const { files } = checkpoint;
  const asked: GenerationInput[] = [];
  const chat = chatModel(files, {
    generator: {
      contextLength: 4096,
      async *generate(input) {
        asked.push(input);
        yield { token: input.stopTokenIds[0] as number };
      },
    },
    processor: createModel(files).processor,
    decodeImage,
    compileGrammar,
  });
  const handle = createHandler({
    model: () => ({ id: "org/model", created: 0, fingerprint: "fp_test", chat }),
  });
  const content = [
    { type: "image_url", ...image },
    { type: "text", text: "hi" },
  ];
  const body = JSON.stringify({ messages: [{ role: "user", content }] });
  const response = await handle(
    new Request("http://page.test/v1/chat/completions", { method: "POST", body }),
  );
  expect(response.status, await response.clone().text()).toBe(200);
  const { usage } = (await response.json()) as ChatCompletion;
  expect(usage?.prompt_tokens_details?.image_tokens).toBeGreaterThan(0);
  expect(asked[0]?.images.map(({ decoded: { width, height } }) => [width, height])).toEqual([
    [1, 1],
  ]);
});
