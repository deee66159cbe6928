/**
 * The bodies of `POST responses` and of what it stores, in OpenAI's shapes. Requests hold the
 * fields that are acted on or told again in the answer; others are ignored, or refused when they
 * would change the answer.
 */
import type {
  AnswerRequest,
  ChatCompletionRequest,
  ErrorBody,
  ReasoningEffort,
  WireTokenLogprob,
} from "./wire.ts";

/** Body of `POST responses`. */
export interface ResponseRequest
  extends AnswerRequest, Pick<ChatCompletionRequest, "chat_template_kwargs"> {
  /** A user's text, or items. May be missing after a `previous_response_id` only. */
  input?: string | readonly unknown[] | null;
  /** A system message before the input: of this answer only, not of those that follow on it. */
  instructions?: string | null;
  /** The answer to go on from: its input and output come before this input. */
  previous_response_id?: string | null;
  max_output_tokens?: number | null;
  /** 0 to 20: how many of the most likely tokens `include` tells the logprobs of. */
  top_logprobs?: number | null;
  include?: Includable[] | null;
  stream?: boolean | null;
  stream_options?: { include_obfuscation?: boolean | null } | null;
  /** Keep the answer for `GET responses/{id}` and `previous_response_id`. Default true. */
  store?: boolean | null;
  text?: { format?: TextFormat | null; verbosity?: Verbosity | null } | null;
  /** Functions that the model may call. */
  tools?: FunctionTool[] | null;
  tool_choice?: ToolChoice | null;
  /** Default true. */
  parallel_tool_calls?: boolean | null;
  reasoning?: { effort?: ReasoningEffort | null; summary?: ReasoningSummary | null } | null;
  /** Up to 16 pairs, told again in the answer. */
  metadata?: Record<string, string> | null;
  /** "auto": leave the oldest turns out where they don't fit in the context. */
  truncation?: Truncation | null;
  user?: string | null;
  safety_identifier?: string | null;
  prompt_cache_key?: string | null;
}

export type Includable =
  | "message.output_text.logprobs"
  | "message.input_image.image_url"
  | "reasoning.encrypted_content"
  | "file_search_call.results"
  | "web_search_call.results"
  | "web_search_call.action.sources"
  | "computer_call_output.output.image_url"
  | "code_interpreter_call.outputs";

export type { ReasoningEffort };
export type ReasoningSummary = "auto" | "concise" | "detailed";
export type Verbosity = "low" | "medium" | "high";
export type Truncation = "auto" | "disabled";

export interface TextConfig {
  format: TextFormat;
  verbosity?: Verbosity;
}

export type TextFormat =
  | { type: "text" }
  | { type: "json_object" }
  | {
      type: "json_schema";
      name: string;
      schema: Record<string, unknown>;
      description?: string;
      strict?: boolean | null;
    };

export interface FunctionTool {
  type: "function";
  name: string;
  description?: string | null;
  /** JSON schema of the arguments; null takes none. */
  parameters: Record<string, unknown> | null;
  strict: boolean | null;
}

export type ToolChoice =
  | "none"
  | "auto"
  | "required"
  | { type: "function"; name: string }
  | {
      type: "allowed_tools";
      mode: "auto" | "required";
      tools: { type: "function"; name: string }[];
    };

/** What a conversation is made of: input as it is stored, and output. */
export type Item = InputMessage | OutputMessage | FunctionCall | FunctionCallOutput | ReasoningItem;

/** What the model made. */
export type OutputItem = OutputMessage | FunctionCall | ReasoningItem;

export type ItemStatus = "in_progress" | "completed" | "incomplete";

export interface InputMessage {
  type: "message";
  id: string;
  status: ItemStatus;
  role: "user" | "system" | "developer";
  content: InputPart[];
}

export type InputPart = InputText | InputImage;

export interface InputText {
  type: "input_text";
  text: string;
}

export interface InputImage {
  type: "input_image";
  detail: ImageDetail;
  /** http(s), data, blob or relative URL, or bare base64. */
  image_url: string;
}

export type ImageDetail = "auto" | "low" | "high" | "original";

export interface OutputMessage {
  type: "message";
  id: string;
  status: ItemStatus;
  role: "assistant";
  content: (OutputText | Refusal)[];
}

export interface OutputText {
  type: "output_text";
  text: string;
  annotations: [];
  /** Empty unless `include` asks for them. */
  logprobs: ResponseLogprob[];
}

export interface ResponseLogprob extends WireTokenLogprob {
  top_logprobs: WireTokenLogprob[];
}

export interface Refusal {
  type: "refusal";
  refusal: string;
}

export interface FunctionCall {
  type: "function_call";
  id: string;
  call_id: string;
  name: string;
  /** JSON of an object. */
  arguments: string;
  status: ItemStatus;
}

export interface FunctionCallOutput {
  type: "function_call_output";
  id: string;
  call_id: string;
  output: string | InputPart[];
  status: ItemStatus;
}

export interface ReasoningItem {
  type: "reasoning";
  id: string;
  /** Of the model's output always empty: the reasoning itself is in `content`. */
  summary: { type: "summary_text"; text: string }[];
  content: ReasoningText[];
  status: ItemStatus;
}

export interface ReasoningText {
  type: "reasoning_text";
  text: string;
}

/** Answer of `POST responses` and `GET responses/{id}`. */
export interface ResponseObject {
  /** "resp_" and something unique. */
  id: string;
  object: "response";
  /** Unix time in seconds. */
  created_at: number;
  status: "in_progress" | "completed" | "incomplete" | "failed";
  /** Unix time in seconds; null unless the status is "completed". */
  completed_at: number | null;
  error: { code: "server_error" | "rate_limit_exceeded"; message: string } | null;
  incomplete_details: { reason: "max_output_tokens" } | null;
  model: string;
  output: OutputItem[];
  /** Missing while it is in progress. */
  usage?: ResponseUsage;
  /** What was asked, or the default that took its place. */
  background: false;
  instructions: string | null;
  max_output_tokens: number | null;
  metadata: Record<string, string>;
  parallel_tool_calls: boolean;
  previous_response_id: string | null;
  prompt_cache_key: string | null;
  reasoning: { effort: ReasoningEffort | null; summary: ReasoningSummary | null };
  safety_identifier: string | null;
  service_tier: "default";
  temperature: number;
  text: TextConfig;
  tool_choice: ToolChoice;
  tools: FunctionTool[];
  top_logprobs: number;
  top_p: number;
  truncation: Truncation;
  user?: string;
}

export interface ResponseUsage {
  /** Text tokens and image rows. */
  input_tokens: number;
  input_tokens_details: { cached_tokens: number; cache_write_tokens: number };
  output_tokens: number;
  output_tokens_details: { reasoning_tokens: number };
  total_tokens: number;
}

/** A list of what came before an answer: of `GET responses/{id}/input_items`. */
export interface ItemList {
  object: "list";
  data: Item[];
  /** Empty where the list is. */
  first_id: string;
  last_id: string;
  has_more: boolean;
}

/** Answer of `DELETE responses/{id}`. */
export interface DeletedResponse {
  id: string;
  object: "response";
  deleted: true;
}

/** Where in the output something happens. */
export interface ItemPosition {
  output_index: number;
  item_id: string;
}

export interface PartPosition extends ItemPosition {
  /** Every item that the model makes has one part. */
  content_index: 0;
}

/** A step in the making of the output. */
export type OutputEvent =
  | ItemEvent<"response.output_item.added">
  | ItemEvent<"response.output_item.done">
  | PartEvent<"response.content_part.added">
  | PartEvent<"response.content_part.done">
  | (PartPosition & {
      type: "response.output_text.delta";
      delta: string;
      logprobs: ResponseLogprob[];
    })
  | (PartPosition & {
      type: "response.output_text.done";
      text: string;
      logprobs: ResponseLogprob[];
    })
  | (PartPosition & { type: "response.reasoning_text.delta"; delta: string })
  | (PartPosition & { type: "response.reasoning_text.done"; text: string })
  | (ItemPosition & { type: "response.function_call_arguments.delta"; delta: string })
  | (ItemPosition & {
      type: "response.function_call_arguments.done";
      name: string;
      arguments: string;
    });

interface ItemEvent<Type> {
  type: Type;
  output_index: number;
  item: OutputItem;
}

interface PartEvent<Type> extends PartPosition {
  type: Type;
  part: OutputText | ReasoningText;
}

/** The whole answer as it is at its beginning and its end. */
export interface StatusEvent {
  type:
    | "response.created"
    | "response.in_progress"
    | "response.completed"
    | "response.incomplete"
    | "response.failed";
  response: ResponseObject;
}

/**
 * The last event of a failed answer. Official clients throw what is under `error`, which OpenAI
 * sends too although its published type has the fields beside it only.
 */
export interface ErrorEvent {
  type: "error";
  code: string | null;
  message: string;
  param: string | null;
  error: ErrorBody["error"];
}

/** What a streamed answer tells. */
export type ResponseStep = StatusEvent | OutputEvent | ErrorEvent;

/** An event of a streamed answer. */
export type ResponseEvent = ResponseStep & {
  /** Counts the events, from 0. */
  sequence_number: number;
};
