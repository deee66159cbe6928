import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ScriptedGenerator, dataUrl, readBytes, scriptedModel } from "../../tests/chat-support.ts";
import { checkResizes } from "../image/image-limits.ts";
import type { ImageLayout } from "../models/model.ts";
import { type ImageOptions, prepareImages } from "./images.ts";
import type { DetailLevel, ChatMessage, ContentPart } from "./messages.ts";

const CIRCLE = "e2e/goldens/sample/red-circle.png";
const PNG = readBytes(CIRCLE);
const { width, height } = { width: PNG.readUInt32BE(16), height: PNG.readUInt32BE(20) };
const BASE64 = PNG.toString("base64");

const model = scriptedModel(new ScriptedGenerator());

/** Messages with the images of each, after a text part. */
function messages(...urls: string[][]): ChatMessage[] {
  return urls.map((list) => ({
    role: "user",
    content: [
      { type: "text", text: "Look:" },
      ...list.map((url): ContentPart => ({ type: "image_url", image_url: { url } })),
    ],
  }));
}

function collect(list: ChatMessage[], intake: Partial<ImageOptions> = {}, signal?: AbortSignal) {
  return prepareImages(list, { ...model.images, ...intake }, model.processor, signal);
}

const refusal = (url: string, intake?: Partial<ImageOptions>) =>
  collect(messages([url]), intake).then(
    () => undefined,
    (error: unknown) => error,
  );

let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const send = (type: string | undefined, body: Uint8Array | string) =>
      response.writeHead(200, type ? { "content-type": type } : {}).end(body);
    switch (request.url) {
      case "/images/circle.png":
        return send("image/png", PNG);
      case "/untyped":
        return send(undefined, PNG);
      case "/mislabelled":
        return send("text/plain", PNG);
      case "/page":
        return send("text/html; charset=utf-8", "<!doctype html><title>No image</title>");
      case "/empty.png":
        return send("image/png", "");
      case "/forever":
        return response.writeHead(200, { "content-type": "image/png" }).flushHeaders();
      case "/cut-off":
        response.writeHead(200, { "content-type": "image/png", "content-length": "5000" });
        response.write(PNG.subarray(0, 100));
        return setTimeout(() => response.destroy(), 10);
      default:
        return response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe("an image may be", () => {
  test.each<[string, () => string]>([
    ["an http URL", () => `${origin}/images/circle.png`],
    ["a download without a type", () => `${origin}/untyped`],
    ["a download with a wrong type", () => `${origin}/mislabelled`],
    ["a relative URL", () => "circle.png"],
    ["an absolute path", () => "/images/circle.png"],
    ["a data URL", () => dataUrl(CIRCLE)],
    ["a data URL without a type", () => `data:;base64,${BASE64}`],
    ["a data URL with parameters", () => `data:image/png;name=a.png;base64,${BASE64}`],
    ["a data URL in capitals", () => `DATA:IMAGE/PNG;BASE64,${BASE64}`],
    ["a data URL with escaped base64", () => `data:image/png;base64,${encodeURIComponent(BASE64)}`],
    ["a data URL in base64url without padding", () => `data:;base64,${PNG.toString("base64url")}`],
    ["a percent-encoded data URL", () => `data:image/png,${percentEncode(PNG)}`],
    ["a data URL in lines", () => `data:image/png;base64,${BASE64.replace(/.{76}/g, "$&\r\n")}`],
    ["a data URL after a line break", () => `\n data:image/png;base64,${BASE64}`],
    ["base64 without a URL", () => BASE64],
    ["base64 without a URL, in lines", () => BASE64.replace(/.{76}/g, "$&\n")],
    ["a blob URL", () => URL.createObjectURL(new Blob([PNG], { type: "image/png" }))],
  ])("%s", async (_, url) => {
    const [image] = await collect(messages([url()]), { baseUrl: `${origin}/images/` });
    expect(image?.decoded).toMatchObject({ width, height });
    expect(image?.layout).toEqual(model.processor.layout(width, height, "auto"));
  });

  test("a percent-encoded text", async () => {
    const files: string[] = [];
    const decodeImage = async (file: Blob) => {
      files.push(`${file.type} ${await file.text()}`);
      return { width: 8, height: 8, source: new Uint8Array() };
    };
    const svg = "data:image/svg+xml;utf8,<svg xmlns='a'>%3Cg/>é 100%</svg>";
    await collect(messages([svg]), { decodeImage });
    expect(files).toEqual(["image/svg+xml <svg xmlns='a'><g/>é 100%</svg>"]);
  });
});

test("images are in message order, whichever arrives first", async () => {
  const sizes: Record<string, number> = { a: 30, b: 10, c: 20 };
  const fetch = async (url: RequestInfo | URL) => {
    const name = new URL(url as string).pathname.slice(1);
    await new Promise((resolve) => setTimeout(resolve, sizes[name]));
    return new Response(new Blob([name]));
  };
  const decodeImage = async (file: Blob) => {
    const size = sizes[await file.text()] as number;
    return { width: size, height: size, source: new Uint8Array() };
  };
  const images = await collect(messages(["a", "b"], [], ["c"]), {
    fetch,
    decodeImage,
    baseUrl: "http://images.test/",
  });
  expect(images.map(({ decoded }) => decoded.width)).toEqual([30, 10, 20]);
});

test("keys depend on file and layout, not on the URL", async () => {
  const keyOf = async (url: string, detail: DetailLevel = "auto") => {
    const content: ContentPart[] = [{ type: "image_url", image_url: { url, detail } }];
    const options = { ...model.images, baseUrl: origin };
    const [image] = await prepareImages([{ role: "user", content }], options, model.processor);
    return image?.key ?? expect.fail("no key");
  };
  const other = dataUrl("e2e/goldens/sample/three-hearts.png");
  const keys = [await keyOf(dataUrl(CIRCLE)), await keyOf(other)];
  expect(new Set(keys).size).toBe(2);
  expect(await keyOf("/images/circle.png")).toBe(keys[0]);
  // The sample model lays out images alike at every `detail`; models with tiles don't.
  expect(await keyOf(dataUrl(CIRCLE), "low")).toBe(keys[0]);
  const tiles = scriptedModel(new ScriptedGenerator(), {}, "e2e/goldens/smolvlm-tiles").processor;
  const tiled = (["low", "high"] as const).map(async (detail) => {
    const image_url = { url: dataUrl(CIRCLE), detail };
    const content: ContentPart[] = [{ type: "image_url", image_url }];
    const [image] = await prepareImages([{ role: "user", content }], model.images, tiles);
    return image?.key;
  });
  expect(new Set([...keys, ...(await Promise.all(tiled))]).size).toBe(4);
});

test("the processor receives `detail`", async () => {
  const details: DetailLevel[] = [];
  const layout: typeof model.processor.layout = (w, h, detail) => {
    details.push(detail);
    return model.processor.layout(w, h, detail);
  };
  const parts = (["low", "high", undefined] as const).map((detail): ContentPart => {
    const url = dataUrl(CIRCLE);
    return { type: "image_url", image_url: { url, ...(detail && { detail }) } };
  });
  const processor = { ...model.processor, layout };
  await prepareImages([{ role: "user", content: parts }], model.images, processor);
  expect(details.toSorted()).toEqual(["auto", "high", "low"]);
});

describe("a refused image", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const image = (size: number) => async () => ({
    width: size,
    height: size,
    source: new Uint8Array(),
  });

  test.each<[string, () => string, string, Partial<ImageOptions>?]>([
    ["broken base64", () => "data:image/png;base64,iVBOR@@@", "invalid_base64_image"],
    ["a single character of base64", () => "data:image/png;base64,A", "invalid_base64_image"],
    ["broken base64 without a URL", () => `${BASE64.slice(0, 400)}!`, "invalid_base64_image"],
    ["a data URL without a comma", () => "data:image/png;base64", "invalid_base64_image"],
    ["an empty data URL", () => "data:image/png;base64,", "empty_image_file"],
    ["an empty file", () => `${origin}/empty.png`, "empty_image_file"],
    [
      "bytes that are not an image",
      () => `data:image/png;base64,${base64("no image")}`,
      "image_parse_error",
    ],
    [
      "bytes of no type that are not an image",
      () => `data:;base64,${base64("no image")}`,
      "image_parse_error",
    ],
    ["a truncated PNG", () => `data:image/png;base64,${BASE64.slice(0, 24)}`, "image_parse_error"],
    [
      "long base64 that is not an image",
      () => base64("no image ".repeat(300)),
      "image_parse_error",
    ],
    ["text", () => "data:text/plain,Hello", "unsupported_image_media_type"],
    [
      "a PDF",
      () => `data:application/pdf;base64,${base64("%PDF-1.7")}`,
      "unsupported_image_media_type",
    ],
    [
      "a PDF with the type of a PNG",
      () => `data:image/png;base64,${base64("%PDF-1.7")}`,
      "unsupported_image_media_type",
    ],
    [
      "a video",
      () => `data:image/png;base64,${base64("\0\0\0\x20ftypisom")}`,
      "unsupported_image_media_type",
    ],
    ["an HTML page", () => `${origin}/page`, "unsupported_image_media_type"],
    [
      "an image type that the platform can't decode",
      () => `data:;base64,${base64("II*\0 a TIFF")}`,
      "unsupported_image_media_type",
    ],
    ["a missing file", () => `${origin}/missing.png`, "failed_to_download_image"],
    ["an unreachable host", () => "http://127.0.0.1:1/a.png", "failed_to_download_image"],
    ["a download that breaks off", () => `${origin}/cut-off`, "failed_to_download_image"],
    [
      "a download that takes too long",
      () => `${origin}/forever`,
      "failed_to_download_image",
      { timeoutMs: 50 },
    ],
    ["an unsupported scheme", () => "ftp://images.test/a.png", "failed_to_download_image"],
    ["a file URL", () => "file:///a.png", "failed_to_download_image"],
    ["a relative URL without a base", () => "a.png", "failed_to_download_image"],
    ["too many bytes in a data URL", () => dataUrl(CIRCLE), "image_too_large", { maxBytes: 500 }],
    [
      "too many bytes, percent-encoded",
      () => "data:image/png,abcdef",
      "image_too_large",
      { maxBytes: 5 },
    ],
    [
      "too many bytes in a download",
      () => `${origin}/images/circle.png`,
      "image_too_large",
      { maxBytes: 500 },
    ],
    [
      "too many pixels",
      () => dataUrl(CIRCLE),
      "image_too_large",
      { maxPixels: 100, decodeImage: image(11) },
    ],
    ["no pixels", () => dataUrl(CIRCLE), "image_too_small", { decodeImage: image(0) }],
  ])("%s", async (_, url, code, intake) => {
    expect(await refusal(url(), intake)).toMatchObject({
      name: "RequestError",
      code,
      subject: { message: 0, part: 1 },
    });
  });

  test("an image that is too small for the processor", async () => {
    const layout = () => {
      throw new RangeError("both sides must be at least 28");
    };
    const processor = { ...model.processor, layout };
    const collected = prepareImages(messages([dataUrl(CIRCLE)]), model.images, processor);
    await expect(collected).rejects.toMatchObject({ code: "image_too_small" });
  });

  test("an image that the device can't process", async () => {
    const limits = { maxStorageBufferBindingSize: 2 ** 12, maxComputeWorkgroupsPerDimension: 64 };
    const checkLayout = (layout: ImageLayout) => checkResizes(limits, layout);
    const list = messages([dataUrl(CIRCLE)], [dataUrl(CIRCLE)]);
    await expect(collect(list, { checkLayout })).rejects.toMatchObject({
      code: "image_too_large",
      subject: { message: 0, part: 1 },
      message: expect.stringContaining("this device allows 4096") as string,
    });
  });

  test("pixel limits for a model that takes none", async () => {
    const image_url = { url: dataUrl(CIRCLE), pixels: { max: 4000 } };
    const list: ChatMessage[] = [{ role: "user", content: [{ type: "image_url", image_url }] }];
    await expect(collect(list)).rejects.toMatchObject({
      code: "invalid_value",
      subject: { message: 0, part: 0 },
      message: expect.stringContaining("'max_pixels' are not supported by this model") as string,
    });
  });

  test("an error names the content part", async () => {
    const list = messages([], [dataUrl(CIRCLE), "data:text/plain,Hello"]);
    await expect(collect(list)).rejects.toMatchObject({
      subject: { message: 1, part: 2 },
    });
  });
});

describe("stopping", () => {
  /** A fetch that never answers, and counts how often it is aborted. */
  const hanging = () => {
    const state = { aborted: 0 };
    const fetch = (_: unknown, init?: RequestInit) =>
      new Promise<Response>((_, reject) => {
        init?.signal?.addEventListener("abort", () => {
          state.aborted++;
          reject(init.signal?.reason as Error);
        });
      });
    return { state, fetch };
  };

  test("the signal stops downloads with its reason", async () => {
    const { state, fetch } = hanging();
    const controller = new AbortController();
    const urls = ["http://images.test/a", "http://images.test/b"];
    const collected = collect(messages(urls), { fetch }, controller.signal);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(collected).rejects.toBe(reason);
    expect(state.aborted).toBe(2);
  });

  test("the first failure stops the other downloads", async () => {
    const { state, fetch } = hanging();
    const collected = collect(messages(["http://images.test/a", "data:text/plain,no"]), { fetch });
    await expect(collected).rejects.toMatchObject({ code: "unsupported_image_media_type" });
    expect(state.aborted).toBe(1);
  });
});

function percentEncode(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}
