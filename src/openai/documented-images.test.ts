import { beforeEach, describe, expect, test } from "vitest";
import { dataUrl, readCheckpoint } from "../../tests/chat-support.ts";
import { answerTo, answerWith, errorOf, sampleWith } from "../../tests/documented.ts";
import { llavaProcessor } from "../models/llava-processor.ts";
import { mllamaProcessor } from "../models/mllama-processor.ts";
import { paligemmaProcessor } from "../models/paligemma-processor.ts";
import { createModel } from "../models/registry.ts";
import { decodeNodeImage } from "../platform/node-image.ts";

beforeEach(() => answerWith());

describe("the images of docs/parameters.md", () => {
  const image = (url: string, more: object = {}) => ({
    messages: [{ role: "user", content: [{ type: "image_url", image_url: { url, ...more } }] }],
  });
  const inNode = sampleWith({}, { decodeImage: decodeNodeImage });

  test.each([
    ["image/tiff", "II*\0 rest"],
    ["image/heic", "\0\0\0\x18ftypheic rest"],
    ["image/jxl", "\xff\x0a rest"],
    ["image/jxl", "\0\0\0\x0cJXL \r\n\x87\n"],
    ["image/jp2", "\0\0\0\x0cjP  \r\n\x87\n"],
    ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  ])("%s is refused by name in Node", async (type, bytes) => {
    const base64 = Buffer.from(bytes, "latin1").toString("base64");
    const error = await errorOf(image(`data:image/png;base64,${base64}`), inNode);
    expect(error).toMatchObject({ code: "unsupported_image_media_type" });
    expect(error.message).toContain(type);
  });

  test("a file has at most 50 MiB, and an image at most 2^26 pixels", () => {
    expect(inNode.images).toMatchObject({ maxBytes: 50 * 2 ** 20, maxPixels: 2 ** 26 });
  });

  const settings = (folder: string) => readCheckpoint(`e2e/goldens/${folder}`);

  test.each([
    ["Llama 3.2 Vision", mllamaProcessor(settings("mllama"))],
    ["LLaVA-1.5", llavaProcessor(settings("llava"))],
    ["PaliGemma", paligemmaProcessor(settings("paligemma"))],
  ])("%s takes the same number of tokens whatever the detail", (name, processor) => {
    const counts = (["low", "high", "auto"] as const).flatMap((detail) =>
      [64, 500].map((side) => processor.layout(side, 200, detail).tokenCount),
    );
    expect(new Set(counts).size).toBe(1);
    if (name.startsWith("Llama")) expect(counts[0]).toBe(1);
  });

  test("limits of pixels: an image's own first, and never above the limit set at load", async () => {
    const qwen = settings("qwen2_5_vl");
    const tokens = async (own: object, kwargs: object, maxImageTokens?: number) => {
      const chat = sampleWith(qwen, {
        processor: createModel(qwen, { maxImageTokens }).processor,
        decodeImage: async () => ({ width: 400, height: 400, source: new Uint8Array() }),
      });
      const url = dataUrl("e2e/goldens/images/shapes.png");
      const { usage } = await answerTo({ ...image(url, own), mm_processor_kwargs: kwargs }, chat);
      return usage.prompt_tokens_details.image_tokens;
    };
    const small = await tokens({ max_pixels: 12_544 }, {});
    expect(await tokens({ max_pixels: 12_544 }, { max_pixels: 50_176 })).toBe(small);
    expect(await tokens({}, { max_pixels: 12_544 })).toBe(small);
    expect(await tokens({}, { size: { longest_edge: 12_544 } })).toBe(small);
    const large = await tokens({ min_pixels: 1_000_000, max_pixels: 4_000_000 }, {});
    expect(large).toBeGreaterThan(100);
    expect(await tokens({}, { min_pixels: 1_000_000, max_pixels: 4_000_000 })).toBe(large);
    expect(await tokens({}, { size: { shortest_edge: 1_000_000, longest_edge: 4_000_000 } })).toBe(
      large,
    );
    expect(
      await tokens({ min_pixels: 1_000_000, max_pixels: 4_000_000 }, {}, 64),
    ).toBeLessThanOrEqual(64);
  });
});
