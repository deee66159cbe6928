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
  ContentPartPosition,
  ReasoningItem,
  ResponseLogprob,
} from "./responses-wire.ts";

/** An incomplete item. Only messages have logprobs. */
type OpenItem =
  | {
      readonly type: "message" | "reasoning";
      readonly id: string;
      text: string;
      logprobs: ResponseLogprob[];
    }
  | (Omit<FunctionCall, "status"> & { readonly index: number });

/**
 * Builds the output of a response from deltas. A new item begins when text, reasoning and calls
 * alternate, and with every call.
 */
export class ResponseOutput {
  /** The complete items. After `end`, all items. */
  readonly items: OutputItem[] = [];
  #open: OpenItem | undefined;
  /** Logprobs of tokens whose text is still held back. */
  #logprobs: TokenLogprobs[] = [];

  /** Adds a delta. @returns its events */
  *push({ text, reasoning = "", toolCalls = [], logprobs }: AnswerDelta): Generator<OutputEvent> {
    if (logprobs) this.#logprobs.push(logprobs);
    if (reasoning !== "") yield* this.#pushReasoning(reasoning);
    if (text !== "") yield* this.#pushText(text);
    for (const call of toolCalls) yield* this.#pushCall(call);
  }

  /**
   * Closes the last item. An answer without text and calls gets an empty message, unless the length
   * limit cut its reasoning.
   *
   * @param status the status of the last item
   */
  *end(status: "completed" | "incomplete"): Generator<OutputEvent> {
    const needsMessage = !this.#open || (this.#open.type === "reasoning" && status === "completed");
    if (needsMessage) yield* this.#pushText("");
    yield* this.#close(status);
  }

  *#pushReasoning(delta: string): Generator<OutputEvent> {
    if (this.#open?.type !== "reasoning") yield* this.#openPart("reasoning");
    const open = this.#open as OpenItem & { type: "reasoning" };
    open.text += delta;
    this.#logprobs = [];
    yield { type: "response.reasoning_text.delta", ...this.#position(), delta };
  }

  *#pushText(delta: string): Generator<OutputEvent> {
    if (this.#open?.type !== "message") {
      // Earlier logprobs are those of the text that ended the previous item.
      if (this.#open) this.#logprobs = this.#logprobs.slice(-1);
      yield* this.#openPart("message");
    }
    const open = this.#open as OpenItem & { type: "message" };
    const logprobs = choiceLogprobs(this.#logprobs)?.content ?? [];
    this.#logprobs = [];
    open.text += delta;
    open.logprobs.push(...logprobs);
    if (delta === "") return;
    yield { type: "response.output_text.delta", ...this.#position(), delta, logprobs };
  }

  *#pushCall({ index, id, name, arguments: delta }: ToolCallDelta): Generator<OutputEvent> {
    if (this.#open?.type !== "function_call" || this.#open.index !== index) {
      yield* this.#close();
      const call = { call_id: id ?? newId("call"), name: name ?? "", arguments: "" };
      this.#open = { type: "function_call", id: newId("fc"), index, ...call };
      yield this.#added();
    }
    const open = this.#open as OpenItem & { type: "function_call" };
    this.#logprobs = [];
    if (delta === "") return;
    open.arguments += delta;
    const { output_index, item_id } = this.#position();
    yield { type: "response.function_call_arguments.delta", item_id, output_index, delta };
  }

  *#openPart(type: "message" | "reasoning"): Generator<OutputEvent> {
    yield* this.#close();
    this.#open = { type, id: newId(type === "message" ? "msg" : "rs"), text: "", logprobs: [] };
    yield this.#added();
    yield { type: "response.content_part.added", ...this.#position(), part: partOf(this.#open) };
  }

  #added(): OutputEvent {
    const { output_index } = this.#position();
    const item = itemOf(this.#open as OpenItem, "in_progress");
    if (item.type !== "function_call") item.content = [];
    return { type: "response.output_item.added", output_index, item };
  }

  *#close(status: "completed" | "incomplete" = "completed"): Generator<OutputEvent> {
    const open = this.#open;
    if (!open) return;
    const position = this.#position();
    const { output_index, item_id } = position;
    if (open.type === "function_call") {
      const { name, arguments: text } = open;
      const type = "response.function_call_arguments.done";
      yield { type, item_id, output_index, name, arguments: text };
    } else {
      const { text, logprobs } = open;
      if (open.type === "message") {
        yield { type: "response.output_text.done", ...position, text, logprobs };
      } else {
        yield { type: "response.reasoning_text.done", ...position, text };
      }
      yield { type: "response.content_part.done", ...position, part: partOf(open) };
    }
    const item = itemOf(open, status);
    this.items.push(item);
    this.#open = undefined;
    yield { type: "response.output_item.done", output_index, item };
  }

  #position(): ContentPartPosition {
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
