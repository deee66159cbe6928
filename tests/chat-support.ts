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

/** A line of a cases.json, as far as text is concerned. */
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

/** Plays back token ids, and remembers what it was asked. */
export class ScriptedGenerator implements TokenGenerator {
  contextLength = 2048;
  maxImages: number | undefined;
  /** Thrown instead of the next token once the script has run out. */
  failure: unknown;
  /** Wait for the signal once the script has run out. */
  stalls = false;
  readonly inputs: GenerationInput[] = [];
  /** How many of a prompt's tokens it says were cached. */
  cached = 0;
  /** Tokens given so far, and calls that have come to their end. */
  given = 0;
  ended = 0;
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
      if (this.stalls) await aborted(input.signal);
    } finally {
      this.ended++;
    }
  }

  /** Probability 1/2 for the token, 1/4 for the one after it, and so on. */
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

/** The sample checkpoint (or another) around a scripted generator; images come out `size`d. */
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

/** Stands in for a decoder: reads a PNG's size and leaves its pixels. */
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

/** Seeded whole numbers: each call gives one in 0 ..< `below` (mulberry32). */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
