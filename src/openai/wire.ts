/**
 * The bodies of requests and responses, in OpenAI's shapes with SGLang's additions. Requests have the
 * supported fields. Unknown fields are ignored; unsupported ones that would change the answer are
 * refused.
 */
import type { DetailLevel } from "../chat/messages.ts";

/** The fields that all requests for an answer share. Null means the same as a missing field. */
export interface AnswerRequest {
  /** The id of the loaded model, an alias of it, or "default". */
  model?: string | null;
  /** 0 to 2; 0 is greedy. Default: the checkpoint's. */
  temperature?: number | null;
  /** 0 to 1. */
  top_p?: number | null;
  /** Keep the k most likely; 0 and -1 keep all. */
  top_k?: number | null;
  /** 0 to 1. */
  min_p?: number | null;
  /** -2 to 2: subtracted from a token's logit for each time that the token was generated. */
  frequency_penalty?: number | null;
  /** -2 to 2: subtracted once from the logit of each token that was generated. */
  presence_penalty?: number | null;
  /**
   * Above 0, at most 2: divides positive logits and multiplies negative logits of tokens in the prompt
   * and the answer. Default: the checkpoint's.
   */
  repetition_penalty?: number | null;
  /** llama.cpp's name of `repetition_penalty`, which takes precedence. */
  repeat_penalty?: number | null;
  /** By token id: -100 to 100, added to the logit. */
  logit_bias?: Record<string, number> | null;
  /** The same seed and request give the same answer. */
  seed?: number | null;
  /** Sample no stop token before this many tokens. A stop string still ends the answer. */
  min_tokens?: number | null;
  stop?: string | string[] | null;
  stop_token_ids?: number[] | null;
  ignore_eos?: boolean | null;
  /** Keep the stop string, or the stop token's text, in the answer. */
  no_stop_trim?: boolean | null;
  /** vLLM's name of `no_stop_trim`, which takes precedence. */
  include_stop_str_in_output?: boolean | null;
  skip_special_tokens?: boolean | null;
  /** Share the prefix cache only with requests that have the same salt. */
  cache_salt?: string | null;
  /** vLLM's: requests of a lower number begin first. Default 0. */
  priority?: number | null;
}

/**
 * The fields that ask for a form of the answer, by the names that each server gives them. A request
 * has at most one of them.
 */
export interface FormatFields {
  response_format?: ResponseFormat | null;
  /** A regular expression that the whole answer must match. */
  regex?: string | null;
  /** A grammar in GBNF. The answer must match its rule `root`. */
  ebnf?: string | null;
  /** A JSON schema, or its JSON. */
  json_schema?: string | Record<string, unknown> | null;
  /** llama.cpp's name of `ebnf`. */
  grammar?: string | null;
  /** vLLM's name of `json_schema`. */
  guided_json?: string | Record<string, unknown> | null;
  /** vLLM's name of `regex`. */
  guided_regex?: string | null;
  /** The answer is one of these texts. */
  guided_choice?: string[] | null;
  /** vLLM's name of `ebnf`. */
  guided_grammar?: string | null;
  /** vLLM's newer names of the same. */
  structured_outputs?: {
    json?: string | Record<string, unknown> | null;
    json_object?: boolean | null;
    regex?: string | null;
    choice?: string[] | null;
    grammar?: string | null;
  } | null;
}

/** How many pixels an image is resized to, at least and at most, for families with such limits. */
export interface RequestPixelLimits {
  min_pixels?: number | null;
  max_pixels?: number | null;
}

/** Body of `POST chat/completions`. */
export interface ChatCompletionRequest extends AnswerRequest, FormatFields {
  messages: RequestMessage[];
  /** -1, like a missing value, means to the end of the context. A larger value is lowered to that. */
  max_completion_tokens?: number | null;
  /** The old name of `max_completion_tokens`, which takes precedence. */
  max_tokens?: number | null;
  /**
   * Report the logprob of every token: the log-softmax of the model's logits, before temperature,
   * penalties, bias and filters.
   */
  logprobs?: boolean | null;
  /** 0 to 20: report the logprobs of this many most likely tokens too. Needs `logprobs`. */
  top_logprobs?: number | null;
  /** Add the token ids of the answer and the prompt, as `token_ids` and `prompt_token_ids`. */
  return_token_ids?: boolean | null;
  stream?: boolean | null;
  stream_options?: StreamOptions | null;
  /** Number of answers, 1 to 8. The i-th is sampled with `seed` + i. */
  n?: number | null;
  /** Continue the last message, which must be from the assistant, instead of answering it. */
  continue_final_message?: boolean | null;
  /** Variables for the checkpoint's chat template. */
  chat_template_kwargs?: Record<string, unknown> | null;
  /** Limits of all images. Those of an `image_url` come first. */
  mm_processor_kwargs?:
    | (RequestPixelLimits & {
        /** The same limits by their newer names. */
        size?: { shortest_edge?: number | null; longest_edge?: number | null } | null;
      })
    | null;
  /** The functions that the model may call. */
  tools?: RequestTool[] | null;
  /** Default: "auto" with tools, "none" without. */
  tool_choice?: RequestToolChoice | null;
  /** Whether an answer may have several calls. Default true. A named function is called once. */
  parallel_tool_calls?: boolean | null;
  /**
   * Sets the chat template's variables `reasoning_effort`, `enable_thinking` and `thinking`. "none"
   * and 0 turn thinking off. A number is a fraction of the maximum, 0 to 0.99.
   */
  reasoning_effort?: ReasoningEffort | number | null;
  /**
   * Whether `<think>` blocks become `reasoning_content` instead of `content`. Default: if the chat
   * template or the tokenizer has `<think>`.
   */
  separate_reasoning?: boolean | null;
}

export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

export type ResponseFormat =
  | { type: "text" }
  /** Any JSON object, or with `schema` the JSON that it accepts. */
  | { type: "json_object"; schema?: Record<string, unknown> | null }
  | { type: "json_schema"; schema: Record<string, unknown> }
  | {
      type: "json_schema";
      json_schema: {
        /** 1 to 64 letters, digits, underscores or hyphens. */
        name: string;
        description?: string | null;
        schema: Record<string, unknown>;
        /** A keyword that can't be enforced is refused. Otherwise it is ignored. */
        strict?: boolean | null;
      };
    };

export interface StreamOptions {
  /** Add a last chunk with the usage and without choices. */
  include_usage?: boolean | null;
  /** Add the usage so far to every chunk. */
  continuous_usage_stats?: boolean | null;
  /** Add chunks without choices that have `progress`, until the answer begins. */
  include_progress?: boolean | null;
}

/** What an answer that has not begun waits for. */
export type StreamProgress =
  /** `position` requests in the queue run before it. */
  | { stage: "queue"; position: number }
  /** Images that are encoded, or found in a cache. */
  | { stage: "images"; encoded: number; total: number }
  /** Tokens of the prompt that were found in the cache, and those that are computed, these included. */
  | { stage: "prompt"; cached_tokens: number; computed_tokens: number; total_tokens: number };

export interface RequestMessage {
  role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  /** May be missing only in a message from the assistant. */
  content?: string | RequestPart[] | null;
  name?: string | null;
  /** Only from the assistant: its reasoning, for templates that write it. */
  reasoning_content?: string | null;
  /** Only from the assistant. */
  tool_calls?: RequestToolCall[] | null;
  /** Only from a tool: the id of the call that it answers. */
  tool_call_id?: string | null;
}

export interface RequestTool {
  type: "function";
  function: {
    /** 1 to 64 of the characters `A-Z a-z 0-9 _ -`. Must be unique. */
    name: string;
    description?: string | null;
    /** JSON schema of the arguments, which must be an object. */
    parameters?: Record<string, unknown> | null;
    /** Make the arguments of every call match `parameters`. */
    strict?: boolean | null;
  };
}

/** With `allowed_tools`, the prompt describes only those. */
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

/** A past tool call. */
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
  | {
      type: "image_url";
      image_url: { url: string; detail?: DetailLevel | "original" | null } & RequestPixelLimits;
    };

/** Answer of `POST chat/completions`. */
export interface ChatCompletion {
  /** "chatcmpl-" and a unique suffix. */
  id: string;
  object: "chat.completion";
  /** Unix time in seconds. */
  created: number;
  model: string;
  system_fingerprint: string;
  choices: Choice[];
  usage: Usage;
  metadata: { weight_version: string };
  /** Only with `return_token_ids`: the prompt's ids, with images expanded to their tokens. */
  prompt_token_ids?: readonly number[];
}

export interface Choice {
  index: number;
  message: {
    role: "assistant";
    /** Null if the answer only has tool calls. */
    content: string | null;
    refusal: null;
    /** The text between `<think>` and `</think>`; null without such a block. */
    reasoning_content: string | null;
    /** Missing without calls. */
    tool_calls?: ChoiceToolCall[];
  };
  /** Null unless `logprobs` is true. */
  logprobs: ChoiceLogprobs | null;
  finish_reason: FinishReason;
  /** The stop token's id or the stop string; null if neither ended the answer. */
  matched_stop: number | string | null;
  /** Only with `return_token_ids`; includes the stop token. */
  token_ids?: number[];
}

export interface ChoiceToolCall {
  /** "call_" and 24 hexadecimal digits. */
  id: string;
  type: "function";
  /** The index of the call in its choice. */
  index: number;
  function: { name: string; arguments: string };
}

/**
 * The logprobs of the tokens of one choice, or of one chunk. Tokens of a stop string are included; a
 * stop token is only if it is kept in the text.
 */
export interface ChoiceLogprobs {
  content: (WireTokenLogprob & { top_logprobs: WireTokenLogprob[] })[];
  refusal: null;
}

export interface WireTokenLogprob {
  /** The token's text, or `bytes:\xf0\x9f` if it is not made of whole characters. */
  token: string;
  /** The UTF-8 bytes of the token. Joined, the bytes of all tokens are whole characters. */
  bytes: number[];
  logprob: number;
}

/** "tool_calls": the answer stopped by itself and calls tools. */
export type FinishReason = "stop" | "length" | "tool_calls";

/** One event of a streamed answer. */
export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  system_fingerprint: string;
  /** Empty in the chunk with the usage, and in those with `progress`. */
  choices: ChunkChoice[];
  /** Only with `include_progress`, and before the answer begins. */
  progress?: StreamProgress;
  /** Only with `include_usage`: null in all chunks but the last. */
  usage?: Usage | null;
}

export interface ChunkChoice {
  index: number;
  delta: ChunkDelta;
  /** Null unless `logprobs` is true: the logprobs of the tokens since the previous chunk. */
  logprobs: ChoiceLogprobs | null;
  finish_reason: FinishReason | null;
  /** Only together with `finish_reason`. */
  matched_stop?: number | string | null;
  /** Only with `return_token_ids`: the tokens since the previous chunk. */
  token_ids?: readonly number[];
}

/** At most one of reasoning, text and calls. Empty together with `finish_reason`. */
export interface ChunkDelta {
  role?: "assistant";
  content?: string;
  reasoning_content?: string;
  tool_calls?: ChunkToolCall[];
}

/** The first chunk of a call has its id, type and name. Its arguments arrive in pieces. */
export interface ChunkToolCall {
  /** The index of the call in its choice. */
  index: number;
  id?: string;
  type?: "function";
  function: { name?: string; arguments: string };
}

/** What the model saw of an image. */
export interface ImageUsage {
  /** Size in pixels as the model saw it: after resizing, and without what a crop left out. */
  width: number;
  height: number;
  /** Its part of `image_tokens`. */
  tokens: number;
}

export interface Usage {
  /** Text tokens and image tokens. */
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: {
    cached_tokens: number;
    image_tokens: number;
    /** The prompt's images, in message order. Absent without images. */
    images?: ImageUsage[];
  };
  completion_tokens_details: { reasoning_tokens: number };
  reasoning_tokens: number;
}

/** Body of `POST completions`. */
export interface CompletionRequest
  extends
    AnswerRequest,
    FormatFields,
    Pick<ChatCompletionRequest, "max_tokens" | "stream" | "stream_options" | "n"> {
  /** A text or its token ids, or a list of either. No chat template is applied. */
  prompt: string | string[] | number[] | number[][];
  /** Begin the answer with the prompt. */
  echo?: boolean | null;
}

/** Answer of `POST completions`, and each event of a streamed answer. */
export interface Completion {
  /** "cmpl-" and a unique suffix. */
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  system_fingerprint: string;
  /** `n` choices for each prompt; empty in the event with the usage. */
  choices: CompletionChoice[];
  /** Of all choices together; each prompt counts once. In streams as in chat completions. */
  usage?: Usage | null;
}

export interface CompletionChoice {
  /** The index of the prompt times `n`, plus the index of the choice. */
  index: number;
  text: string;
  logprobs: null;
  /** Null in all events but the choice's last. */
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
  /** Maximum number of tokens of prompt and answer together. */
  max_model_len: number;
  /** As LM Studio names a model that reads images. */
  type: "vlm";
  /** As llama.cpp names what a model can do: "multimodal" means images. */
  capabilities: string[];
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
  /** Maximum number of tokens of prompt and answer together. */
  max_model_len: number;
  modalities: ("text" | "image")[];
  has_image_understanding: boolean;
  has_audio_understanding: boolean;
}

/** Answer of `POST tokenize`. For a list of prompts, `tokens` and `count` are lists. */
export interface Tokenization {
  tokens: number[] | number[][];
  count: number | number[];
  max_model_len: number;
}

/** Answer of `POST detokenize`. */
export interface Detokenization {
  text: string | string[];
}

/** Body of every error response. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}
