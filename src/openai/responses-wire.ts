/**
 * The bodies of the Responses API, in OpenAI's shapes. Requests have the fields that are supported or
 * repeated in the response. Unknown fields are ignored; unsupported ones that would change the answer
 * are refused.
 */
import type {
  AnswerRequest,
  ChatCompletionRequest,
  ErrorBody,
  FormatFields,
  ImageUsage,
  ReasoningEffort,
  WireTokenLogprob,
} from "./wire.ts";

/** Body of `POST responses`. */
export interface ResponseRequest
  extends
    AnswerRequest,
    Omit<FormatFields, "response_format">,
    Pick<ChatCompletionRequest, "chat_template_kwargs"> {
  /** A text from the user, or items. May be missing only with `previous_response_id`. */
  input?: string | readonly unknown[] | null;
  /** A system message before the conversation. Later responses don't inherit it. */
  instructions?: string | null;
  /** The response to continue from: its input and output precede this input. */
  previous_response_id?: string | null;
  max_output_tokens?: number | null;
  /** 0 to 20: the number of most likely tokens to report. Needs logprobs in `include`. */
  top_logprobs?: number | null;
  include?: Includable[] | null;
  stream?: boolean | null;
  stream_options?: { include_obfuscation?: boolean | null } | null;
  /** Store the response for `GET responses/{id}` and `previous_response_id`. Default true. */
  store?: boolean | null;
  text?: { format?: TextFormat | null; verbosity?: Verbosity | null } | null;
  /** Functions that the model may call. */
  tools?: FunctionTool[] | null;
  tool_choice?: ToolChoice | null;
  /** Default true. */
  parallel_tool_calls?: boolean | null;
  reasoning?: { effort?: ReasoningEffort | null; summary?: ReasoningSummary | null } | null;
  /** Up to 16 pairs, repeated in the response. */
  metadata?: Record<string, string> | null;
  /** "auto": leave out the oldest turns if the conversation doesn't fit into the context. */
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
  /** JSON schema of the arguments; null for a function without arguments. */
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

/** An item of a stored conversation: input or output. */
export type Item = InputMessage | OutputMessage | FunctionCall | FunctionCallOutput | ReasoningItem;

/** An item of the output. */
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
  /** An http(s), data, blob or relative URL, or base64 without a URL. */
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
  /** Empty unless `include` asks for logprobs. */
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
  /** Always empty in output: the reasoning is in `content`. */
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
  /** "resp_" and a unique suffix. */
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
  /** Missing while the response is in progress. */
  usage?: ResponseUsage;
  // The fields below repeat the request, or have its defaults.
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
  /** Text tokens and image tokens. */
  input_tokens: number;
  input_tokens_details: {
    cached_tokens: number;
    cache_write_tokens: number;
    /** The input's images, in the order of their items. Absent without images. */
    images?: ImageUsage[];
  };
  output_tokens: number;
  output_tokens_details: { reasoning_tokens: number };
  total_tokens: number;
}

/** Answer of `GET responses/{id}/input_items`. */
export interface ItemList {
  object: "list";
  data: Item[];
  /** Empty if the list is empty. */
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

/** The position of an event in the output. */
export interface ItemPosition {
  output_index: number;
  item_id: string;
}

export interface ContentPartPosition extends ItemPosition {
  /** Every output item has one part. */
  content_index: 0;
}

/** An event that changes the output. */
export type OutputEvent =
  | ItemEvent<"response.output_item.added">
  | ItemEvent<"response.output_item.done">
  | PartEvent<"response.content_part.added">
  | PartEvent<"response.content_part.done">
  | (ContentPartPosition & {
      type: "response.output_text.delta";
      delta: string;
      logprobs: ResponseLogprob[];
    })
  | (ContentPartPosition & {
      type: "response.output_text.done";
      text: string;
      logprobs: ResponseLogprob[];
    })
  | (ContentPartPosition & { type: "response.reasoning_text.delta"; delta: string })
  | (ContentPartPosition & { type: "response.reasoning_text.done"; text: string })
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

interface PartEvent<Type> extends ContentPartPosition {
  type: Type;
  part: OutputText | ReasoningText;
}

/** An event with the response at its beginning or end. */
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
 * The last event of a failed response. The official clients throw the value of `error`. OpenAI sends
 * it too, although its published type only has the other fields.
 */
export interface ErrorEvent {
  type: "error";
  code: string | null;
  message: string;
  param: string | null;
  error: ErrorBody["error"];
}

/** An event of a streamed response, without its number. */
export type ResponseStep = StatusEvent | OutputEvent | ErrorEvent;

/** An event of a streamed response. */
export type ResponseEvent = ResponseStep & {
  /** The index of the event, from 0. */
  sequence_number: number;
};
