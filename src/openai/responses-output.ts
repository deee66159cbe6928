import type { AnswerDelta } from "../chat/answer-types.ts";
import type { TokenLogprobs } from "../chat/logprobs.ts";
import type { ToolCallDelta } from "../chat/tools.ts";
import { choiceLogprobs } from "./logprobs.ts";
import { newId } from "./responses-store.ts";
import type {
  FunctionCall,
  ItemStatus,
  OutputEvent,
  OutputItem,
  OutputMessage,
  OutputText,
  PartPosition,
  ReasoningItem,
  ResponseLogprob,
} from "./responses-wire.ts";

/** The item that is being made; `logprobs` of a message only. */
type OpenItem =
  | {
      readonly type: "message" | "reasoning";
      readonly id: string;
      text: string;
      logprobs: ResponseLogprob[];
    }
  | (Omit<FunctionCall, "status"> & { readonly index: number });

/**
 * The output of a response as the deltas bring it: whenever the kind of what comes changes, or
 * another call begins, so does another item.
 */
export class ResponseOutput {
  /** Those that are whole; the open one too once `end` is through. */
  readonly items: OutputItem[] = [];
  #open: OpenItem | undefined;
  /** Of tokens whose text has not come yet. */
  #places: TokenLogprobs[] = [];

  /** What a delta brings, as events. */
  *push({ text, reasoning = "", toolCalls = [], logprobs }: AnswerDelta): Generator<OutputEvent> {
    if (logprobs) this.#places.push(logprobs);
    if (reasoning !== "") yield* this.#pushReasoning(reasoning);
    if (text !== "") yield* this.#pushText(text);
    for (const call of toolCalls) yield* this.#pushCall(call);
  }

  /**
   * Closes the last item. An answer that neither says nor calls anything has an empty message,
   * unless the length limit cut its reasoning.
   *
   * @param status of the last item
   */
  *end(status: "completed" | "incomplete"): Generator<OutputEvent> {
    const silent = !this.#open || (this.#open.type === "reasoning" && status === "completed");
    if (silent) yield* this.#pushText("");
    yield* this.#close(status);
  }

  *#pushReasoning(delta: string): Generator<OutputEvent> {
    if (this.#open?.type !== "reasoning") yield* this.#openPart("reasoning");
    const open = this.#open as OpenItem & { type: "reasoning" };
    open.text += delta;
    this.#places = [];
    yield { type: "response.reasoning_text.delta", ...this.#place(), delta };
  }

  *#pushText(delta: string): Generator<OutputEvent> {
    if (this.#open?.type !== "message") {
      // Those before are of what ended the item before.
      if (this.#open) this.#places = this.#places.slice(-1);
      yield* this.#openPart("message");
    }
    const open = this.#open as OpenItem & { type: "message" };
    const logprobs = choiceLogprobs(this.#places)?.content ?? [];
    this.#places = [];
    open.text += delta;
    open.logprobs.push(...logprobs);
    if (delta === "") return;
    yield { type: "response.output_text.delta", ...this.#place(), delta, logprobs };
  }

  *#pushCall({ index, id, name, arguments: delta }: ToolCallDelta): Generator<OutputEvent> {
    if (this.#open?.type !== "function_call" || this.#open.index !== index) {
      yield* this.#close();
      const call = { call_id: id ?? newId("call"), name: name ?? "", arguments: "" };
      this.#open = { type: "function_call", id: newId("fc"), index, ...call };
      yield this.#added();
    }
    const open = this.#open as OpenItem & { type: "function_call" };
    this.#places = [];
    if (delta === "") return;
    open.arguments += delta;
    const { output_index, item_id } = this.#place();
    yield { type: "response.function_call_arguments.delta", item_id, output_index, delta };
  }

  *#openPart(type: "message" | "reasoning"): Generator<OutputEvent> {
    yield* this.#close();
    this.#open = { type, id: newId(type === "message" ? "msg" : "rs"), text: "", logprobs: [] };
    yield this.#added();
    yield { type: "response.content_part.added", ...this.#place(), part: partOf(this.#open) };
  }

  #added(): OutputEvent {
    const { output_index } = this.#place();
    const item = itemOf(this.#open as OpenItem, "in_progress");
    if (item.type !== "function_call") item.content = [];
    return { type: "response.output_item.added", output_index, item };
  }

  *#close(status: "completed" | "incomplete" = "completed"): Generator<OutputEvent> {
    const open = this.#open;
    if (!open) return;
    const place = this.#place();
    const { output_index, item_id } = place;
    if (open.type === "function_call") {
      const { name, arguments: text } = open;
      const type = "response.function_call_arguments.done";
      yield { type, item_id, output_index, name, arguments: text };
    } else {
      const { text, logprobs } = open;
      if (open.type === "message") {
        yield { type: "response.output_text.done", ...place, text, logprobs };
      } else {
        yield { type: "response.reasoning_text.done", ...place, text };
      }
      yield { type: "response.content_part.done", ...place, part: partOf(open) };
    }
    const item = itemOf(open, status);
    this.items.push(item);
    this.#open = undefined;
    yield { type: "response.output_item.done", output_index, item };
  }

  #place(): PartPosition {
    const { id: item_id } = this.#open as OpenItem;
    return { item_id, output_index: this.items.length, content_index: 0 };
  }
}

type OpenPart = Exclude<OpenItem, { type: "function_call" }>;

function partOf({ type, text, logprobs }: OpenPart) {
  return type === "message"
    ? outputText(text, [...logprobs])
    : { type: "reasoning_text" as const, text };
}

function itemOf(open: OpenItem, status: ItemStatus): OutputItem {
  if (open.type === "function_call") {
    const { type, id, call_id, name } = open;
    return { type, id, call_id, name, arguments: open.arguments, status };
  }
  const { type, id, text, logprobs } = open;
  if (type === "message") {
    const content = [outputText(text, logprobs)];
    return { type, id, status, role: "assistant", content } satisfies OutputMessage;
  }
  const content = [{ type: "reasoning_text" as const, text }];
  return { type, id, status, summary: [], content } satisfies ReasoningItem;
}

export function outputText(text: string, logprobs: ResponseLogprob[] = []): OutputText {
  return { type: "output_text", text, annotations: [], logprobs };
}
