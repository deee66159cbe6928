/**
 * The bodies that cross the wire, in OpenAI's shapes with SGLang's additions. Requests hold the
 * fields that are acted on; others are ignored, or refused when they would change the answer.
 */
import type { Detail } from "../chat/messages.ts";

/** Body of `POST chat/completions`. Null means the same as a missing field. */
export interface ChatCompletionRequest {
  messages: RequestMessage[];
  /** The loaded model's id, an alias of it, or "default". */
  model?: string | null;
  max_completion_tokens?: number | null;
  /** The old name of `max_completion_tokens`, which wins. */
  max_tokens?: number | null;
  /** 0 to 2; 0 is greedy. Default: the checkpoint's. */
  temperature?: number | null;
  /** 0 to 1. */
  top_p?: number | null;
  /** Keep the k most likely; 0 and -1 keep all. */
  top_k?: number | null;
  /** 0 to 1. */
  min_p?: number | null;
  /** The same seed and request give the same answer. */
  seed?: number | null;
  stop?: string | string[] | null;
  stop_token_ids?: number[] | null;
  ignore_eos?: boolean | null;
  skip_special_tokens?: boolean | null;
  /** Add the answer's and the prompt's token ids, as `token_ids` and `prompt_token_ids`. */
  return_token_ids?: boolean | null;
  stream?: boolean | null;
  stream_options?: StreamOptions | null;
  /** Number of answers; only 1 so far. */
  n?: number | null;
  /** Variables for the checkpoint's chat template. */
  chat_template_kwargs?: Record<string, unknown> | null;
}

export interface StreamOptions {
  /** A last chunk without choices tells the usage. */
  include_usage?: boolean | null;
  /** Every chunk tells the usage so far. */
  continuous_usage_stats?: boolean | null;
}

export interface RequestMessage {
  role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  /** Only an assistant's may be missing. */
  content?: string | RequestPart[] | null;
  name?: string | null;
}

export type RequestPart =
  | { type: "text"; text: string }
  | { type: "refusal"; refusal: string }
  | { type: "image_url"; image_url: { url: string; detail?: Detail | null } };

/** Answer of `POST chat/completions`. */
export interface ChatCompletion {
  /** "chatcmpl-" and something unique. */
  id: string;
  object: "chat.completion";
  /** Unix time in seconds. */
  created: number;
  model: string;
  system_fingerprint: string;
  choices: Choice[];
  usage: Usage;
  metadata: { weight_version: string };
  /** With `return_token_ids`: the prompt's, image rows expanded. */
  prompt_token_ids?: readonly number[];
}

export interface Choice {
  index: number;
  message: {
    role: "assistant";
    content: string;
    refusal: null;
    reasoning_content: null;
  };
  logprobs: null;
  finish_reason: FinishReason;
  /** The stop token's id or the stop string; null when no stop ended the answer. */
  matched_stop: number | string | null;
  /** With `return_token_ids`: the stopping one included. */
  token_ids?: readonly number[];
}

export type FinishReason = "stop" | "length";

/** One event of a streamed answer. */
export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  system_fingerprint: string;
  /** Empty on the chunk that tells the usage. */
  choices: ChunkChoice[];
  /** With `include_usage`: null on all chunks but the last. */
  usage?: Usage | null;
}

export interface ChunkChoice {
  index: number;
  delta: { role?: "assistant"; content?: string };
  logprobs: null;
  finish_reason: FinishReason | null;
  /** Beside a `finish_reason` only. */
  matched_stop?: number | string | null;
  /** With `return_token_ids`: those since the chunk before. */
  token_ids?: readonly number[];
}

export interface Usage {
  /** Text tokens and image rows. */
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number; image_tokens: number };
  completion_tokens_details: { reasoning_tokens: number };
  reasoning_tokens: number;
}

/** An entry of `GET models`. */
export interface ModelEntry {
  id: string;
  object: "model";
  created: number;
  owned_by: string;
  root: string;
  parent: null;
  /** Tokens that prompt and answer together may have. */
  max_model_len: number;
}

/** Body of every answer that is not a success. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}
