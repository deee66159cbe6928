/**
 * The bodies that cross the wire, in OpenAI's shapes with SGLang's additions. Requests hold the
 * fields that are acted on; others are ignored, or refused when they would change the answer.
 */
import type { DetailLevel } from "../chat/messages.ts";

/** What every request for an answer may ask. Null means the same as a missing field. */
export interface AnswerRequest {
  /** The loaded model's id, an alias of it, or "default". */
  model?: string | null;
  /** 0 to 2; 0 is greedy. Default: the checkpoint's. */
  temperature?: number | null;
  /** 0 to 1. */
  top_p?: number | null;
  /** Keep the k most likely; 0 and -1 keep all. */
  top_k?: number | null;
  /** 0 to 1. */
  min_p?: number | null;
  /** -2 to 2: subtracted from a token's logit for each time it was generated. */
  frequency_penalty?: number | null;
  /** -2 to 2: subtracted from the logit of a token that was generated. */
  presence_penalty?: number | null;
  /**
   * Above 0, to 2: divides the positive and multiplies the negative logits of tokens in the prompt
   * and the answer. Default: the checkpoint's.
   */
  repetition_penalty?: number | null;
  /** -100 to 100, added to logits, by token id. */
  logit_bias?: Record<string, number> | null;
  /** The same seed and request give the same answer. */
  seed?: number | null;
  /** Draw no stop token before this many tokens; a stop string ends the answer all the same. */
  min_tokens?: number | null;
  stop?: string | string[] | null;
  stop_token_ids?: number[] | null;
  ignore_eos?: boolean | null;
  /** Leave the stop string, or the stop token's text, in the answer. */
  no_stop_trim?: boolean | null;
  skip_special_tokens?: boolean | null;
  /** What is cached of this request is found only by those with the same salt. */
  cache_salt?: string | null;
}

/** Body of `POST chat/completions`. */
export interface ChatCompletionRequest extends AnswerRequest {
  messages: RequestMessage[];
  max_completion_tokens?: number | null;
  /** The old name of `max_completion_tokens`, which wins. */
  max_tokens?: number | null;
  /**
   * Tell the logprob of every token: the log-softmax of the model's own logits, before temperature,
   * penalties, bias and filters.
   */
  logprobs?: boolean | null;
  /** 0 to 20: tell those of the most likely tokens too. Needs `logprobs`. */
  top_logprobs?: number | null;
  /** Add the answer's and the prompt's token ids, as `token_ids` and `prompt_token_ids`. */
  return_token_ids?: boolean | null;
  stream?: boolean | null;
  stream_options?: StreamOptions | null;
  /** Number of answers, 1 to 8; the i-th is drawn with `seed` + i. */
  n?: number | null;
  /** Go on with the last message, which is the assistant's, instead of answering it. */
  continue_final_message?: boolean | null;
  /** Variables for the checkpoint's chat template. */
  chat_template_kwargs?: Record<string, unknown> | null;
  /** What the answer must match; at most one of it, `regex` and `ebnf`. */
  response_format?: ResponseFormat | null;
  /** An expression that the whole answer must match. */
  regex?: string | null;
  /** A grammar in GBNF that the answer must match, from its rule `root` on. */
  ebnf?: string | null;
  /** The functions that the model may call. */
  tools?: RequestTool[] | null;
  /** Default: "auto" if there are tools, else "none". */
  tool_choice?: RequestToolChoice | null;
  /** Whether an answer may make several calls. Default true; a named function is called once. */
  parallel_tool_calls?: boolean | null;
  /**
   * For the chat template, as its variables `reasoning_effort`, `enable_thinking` and `thinking`;
   * "none" and 0 turn thinking off.
   */
  reasoning_effort?: ReasoningEffort | number | null;
  /**
   * Whether `<think>` spans are `reasoning_content`, or content like the rest. Default: where the
   * chat template or the tokenizer knows them.
   */
  separate_reasoning?: boolean | null;
}

export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

export type ResponseFormat =
  | { type: "text" }
  /** Any JSON object. */
  | { type: "json_object" }
  | {
      type: "json_schema";
      json_schema: {
        /** 1 to 64 letters, digits, underscores or hyphens. */
        name: string;
        description?: string | null;
        schema: Record<string, unknown>;
        /** The answer is valid by the schema either way. */
        strict?: boolean | null;
      };
    };

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
  /** An assistant's: what it thought, for templates that write it. */
  reasoning_content?: string | null;
  /** An assistant's. */
  tool_calls?: RequestToolCall[] | null;
  /** A tool's: which call it answers. */
  tool_call_id?: string | null;
}

export interface RequestTool {
  type: "function";
  function: {
    /** 1 to 64 of `A-Z a-z 0-9 _ -`; no two tools have the same. */
    name: string;
    description?: string | null;
    /** JSON schema of an object. */
    parameters?: Record<string, unknown> | null;
    /** Keep the arguments of every call to the schema. */
    strict?: boolean | null;
  };
}

/** Of `allowed_tools` the others are left out. */
export type RequestToolChoice =
  | "none"
  | "auto"
  | "required"
  | { type: "function"; function: { name: string } }
  | {
      type: "allowed_tools";
      allowed_tools: {
        mode: "auto" | "required";
        tools: { type: "function"; function: { name: string } }[];
      };
    };

/** A call that was made. */
export interface RequestToolCall {
  id: string;
  type: "function";
  function: {
    name: string;
    /** JSON of an object. */
    arguments: string;
  };
}

export type RequestPart =
  | { type: "text"; text: string }
  | { type: "refusal"; refusal: string }
  | { type: "image_url"; image_url: { url: string; detail?: DetailLevel | null } };

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
    /** Null where the answer is nothing but calls of tools. */
    content: string | null;
    refusal: null;
    /** Of the span between `<think>` and `</think>`; null where there is none. */
    reasoning_content: string | null;
    /** Not there when there are none. */
    tool_calls?: ChoiceToolCall[];
  };
  /** With `logprobs`. */
  logprobs: ChoiceLogprobs | null;
  finish_reason: FinishReason;
  /** The stop token's id or the stop string; null when no stop ended the answer. */
  matched_stop: number | string | null;
  /** With `return_token_ids`: the stopping one included. */
  token_ids?: number[];
}

export interface ChoiceToolCall {
  /** "call_" and 24 hexadecimal digits. */
  id: string;
  type: "function";
  /** Number of the call. */
  index: number;
  function: { name: string; arguments: string };
}

/**
 * Of the tokens of one choice, or of one chunk: of all but a stop token that is not in the text.
 * Those of a stop string are among them.
 */
export interface ChoiceLogprobs {
  content: (WireTokenLogprob & { top_logprobs: WireTokenLogprob[] })[];
  refusal: null;
}

export interface WireTokenLogprob {
  /** The token's text, or `bytes:\xf0\x9f` where it is not made of whole characters. */
  token: string;
  /** The token alone in UTF-8: those of all tokens, joined, make whole characters. */
  bytes: number[];
  logprob: number;
}

/** "tool_calls": the answer stopped by itself and calls tools, whether it had to or not. */
export type FinishReason = "stop" | "length" | "tool_calls";

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
  delta: ChunkDelta;
  /** With `logprobs`: of the tokens since the chunk before. */
  logprobs: ChoiceLogprobs | null;
  finish_reason: FinishReason | null;
  /** Beside a `finish_reason` only. */
  matched_stop?: number | string | null;
  /** With `return_token_ids`: those since the chunk before. */
  token_ids?: readonly number[];
}

/** One of these at a time; none beside a `finish_reason`. */
export interface ChunkDelta {
  role?: "assistant";
  content?: string;
  reasoning_content?: string;
  tool_calls?: ChunkToolCall[];
}

/** A call's id, type and name come first, then its arguments piece by piece. */
export interface ChunkToolCall {
  /** Number of the call. */
  index: number;
  id?: string;
  type?: "function";
  function: { name?: string; arguments: string };
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

/** Body of `POST completions`. */
export interface CompletionRequest
  extends
    AnswerRequest,
    Pick<
      ChatCompletionRequest,
      "max_tokens" | "stream" | "stream_options" | "n" | "response_format" | "regex" | "ebnf"
    > {
  /** A text or its token ids, or several of either; no chat template is put around them. */
  prompt: string | string[] | number[] | number[][];
  /** Begin the answer with the prompt. */
  echo?: boolean | null;
  /** A JSON schema, or the JSON of one: SGLang's way to ask for a `response_format`. */
  json_schema?: string | Record<string, unknown> | null;
}

/** Answer of `POST completions`, and each event of a streamed one. */
export interface Completion {
  /** "cmpl-" and something unique. */
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  system_fingerprint: string;
  /** `n` for each prompt; empty on the event that tells the usage. */
  choices: CompletionChoice[];
  /** Of all choices, each prompt counted once. In a stream as with chat completions. */
  usage?: Usage | null;
}

export interface CompletionChoice {
  /** Number of the prompt times `n`, and the choice's own number. */
  index: number;
  text: string;
  logprobs: null;
  /** Null in events before the choice's last. */
  finish_reason: FinishReason | null;
  matched_stop: number | string | null;
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

/** Answer of `GET model_info`. */
export interface ModelInfo {
  id: string;
  model_path: string;
  tokenizer_path: string;
  is_generation: true;
  weight_version: string;
  /** The `model_type` of config.json. */
  model_type: string;
  /** Tokens that prompt and answer together may have. */
  max_model_len: number;
  modalities: ("text" | "image")[];
  has_image_understanding: boolean;
  has_audio_understanding: boolean;
}

/** Answer of `POST tokenize`: lists where the request has a list. */
export interface Tokenization {
  tokens: number[] | number[][];
  count: number | number[];
  max_model_len: number;
}

/** Answer of `POST detokenize`. */
export interface Detokenization {
  text: string | string[];
}

/** Body of every answer that is not a success. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}
