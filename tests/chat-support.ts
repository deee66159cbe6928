import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { ChatMessage } from "../src/chat/messages.ts";
import { type ChatModel, type ChatModelOptions, chatModel } from "../src/chat/model.ts";
import type { GeneratedToken, GenerationInput, TokenGenerator } from "../src/engine/generation.ts";
import { compileGrammar } from "../src/grammar/compile-grammar.ts";
import type { CheckpointFiles } from "../src/models/model.ts";
import { smolvlmProcessor } from "../src/models/smolvlm-processor.ts";
import type { DecodedImage } from "../src/platform/platform.ts";

const ROOT = join(import.meta.dirname, "..");
export const SAMPLE = "public/models/sample";

/** The small files of a checkpoint in the repository. */
export function readCheckpoint(folder: string): CheckpointFiles {
  const files: Record<string, unknown> = {};
  for (const name of readdirSync(join(ROOT, folder))) {
    if (name.endsWith(".json")) files[name] = readJson(`${folder}/${name}`);
    if (name.endsWith(".jinja")) files[name] = readBytes(`${folder}/${name}`).toString();
  }
  return files;
}

export function readJson(path: string): unknown {
  return JSON.parse(readBytes(path).toString());
}

export function readBytes(path: string): Buffer<ArrayBuffer> {
  return readFileSync(join(ROOT, path));
}

/** The text fields of one case of a cases.json. */
export interface TextCase {
  readonly name?: string;
  readonly messages: readonly ChatMessage[];
  readonly prompt: string;
  readonly add_special_tokens?: boolean;
  readonly input_ids: readonly number[];
  readonly output_ids: readonly number[];
  readonly text: string;
  readonly finish_reason?: "stop" | "length";
}

/** Yields the given token ids, and records the requests. */
export class ScriptedGenerator implements TokenGenerator {
  contextLength = 2048;
  maxImages: number | undefined;
  /** Thrown after the last token. */
  failure: unknown;
  /** Whether to wait for the signal after the last token. */
  stalls = false;
  readonly inputs: GenerationInput[] = [];
  /** The number of cached tokens that it reports. */
  cached = 0;
  /** Tokens yielded so far, and calls that have ended. */
  given = 0;
  ended = 0;
  /** Calls that have waited, or wait now, for their signal. */
  stalled = 0;
  ids: readonly number[];

  constructor(ids: readonly number[] = []) {
    this.ids = ids;
  }

  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    this.inputs.push(input);
    input.onCached?.(this.cached);
    try {
      for (const id of this.ids.slice(0, input.maxTokens)) {
        await Promise.resolve();
        input.signal?.throwIfAborted();
        this.given++;
        yield {
          token: id,
          ...(input.logprobs !== undefined && this.#logprobs(id, input.logprobs)),
        };
        if (input.stopTokenIds.includes(id)) return;
      }
      if (this.failure !== undefined) throw this.failure;
      if (!this.stalls) return;
      this.stalled++;
      await aborted(input.signal);
    } finally {
      this.ended++;
    }
  }

  /** Aborts a request as soon as it waits for its signal. */
  async abortStalled(controller: AbortController): Promise<void> {
    while (this.stalled <= this.ended) await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort();
  }

  /** The probability is 1/2 for the token, 1/4 for the next id, and so on. */
  #logprobs(id: number, count: number): Pick<GeneratedToken, "logprobs"> {
    const top = Array.from({ length: count }, (_, i) => ({
      id: id + i,
      logprob: -(i + 1) * Math.LN2,
    }));
    return { logprobs: { logprob: -Math.LN2, top } };
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error));
  });
}

/** A checkpoint, by default the sample's, with a scripted generator. Decoded images have `size`. */
export function scriptedModel(
  generator: TokenGenerator,
  options: Partial<ChatModelOptions> = {},
  folder = SAMPLE,
): ChatModel {
  const files = readCheckpoint(folder);
  return chatModel(files, {
    generator,
    decodeImage: decodePng,
    compileGrammar,
    ...options,
    processor: options.processor ?? smolvlmProcessor(files),
  });
}

/** A decoder that reads only a PNG's size. */
export async function decodePng(file: Blob): Promise<DecodedImage> {
  const header = new DataView(await file.slice(0, 24).arrayBuffer());
  if (header.byteLength < 24 || header.getUint32(0) !== 0x89504e47) throw new Error("not a PNG");
  const source = new Uint8Array();
  return { width: header.getUint32(16), height: header.getUint32(20), source };
}

/** A data URL of a file in the repository. */
export function dataUrl(path: string, type = "image/png"): string {
  return `data:${type};base64,${readBytes(path).toString("base64")}`;
}
