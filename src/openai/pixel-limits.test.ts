import { expect, test } from "vitest";
import { ScriptedGenerator, dataUrl, readCheckpoint } from "../../tests/chat-support.ts";
import { chatModel } from "../chat/model.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createModel } from "../models/registry.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion } from "./wire.ts";

/** Prompt tokens of an image of 1000 x 1000 pixels and "hi", without a limit and with one of 12,544 pixels. */
const REFERENCE = [
  ["qwen2_vl", 60, 51],
  ["qwen2_5_vl", 60, 51],
  ["qwen3_vl", 40, 24],
] as const;

const limit = { max_pixels: 12_544 };

/** The fields of an `image_url` part, of its `image_url`, and of the body. */
const WAYS: readonly (readonly [name: string, part: object, image: object, body: object])[] = [
  ["in image_url", {}, limit, {}],
  ["beside image_url", limit, {}, {}],
  ["in mm_processor_kwargs", {}, {}, { mm_processor_kwargs: limit }],
  ["as size", {}, {}, { mm_processor_kwargs: { size: { longest_edge: 12_544 } } }],
];

test.each(REFERENCE)(
  "%s: an image takes the reference's tokens",
  async (family, whole, limited) => {
    const files = readCheckpoint(`e2e/goldens/${family}`);
    const chat = chatModel(files, {
      generator: new ScriptedGenerator([1]),
      processor: createModel(files).processor,
      decodeImage: async () => ({ width: 1000, height: 1000, source: new Uint8Array() }),
      compileGrammar,
    });
    const handle = createHandler({
      model: () => ({ id: "org/model", created: 0, fingerprint: "fp_test", chat }),
    });
    const tokens = async (part: object, image: object, body: object) => {
      const image_url = { url: dataUrl("e2e/goldens/images/shapes.png"), ...image };
      const content = [
        { type: "image_url", image_url, ...part },
        { type: "text", text: "hi" },
      ];
      const request = { messages: [{ role: "user", content }], max_tokens: 1, ...body };
      const init = { method: "POST", body: JSON.stringify(request) };
      const response = await handle(new Request("http://page.test/v1/chat/completions", init));
      return ((await response.json()) as ChatCompletion).usage?.prompt_tokens;
    };
    expect(await tokens({}, {}, {})).toBe(whole);
    for (const [name, part, image, body] of WAYS) {
      expect(await tokens(part, image, body), name).toBe(limited);
    }
  },
);
