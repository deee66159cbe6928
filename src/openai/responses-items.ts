import * as z from "zod/mini";
import { OpenAIError } from "./errors.ts";
import { outputText } from "./responses-output.ts";
import { type ResponseStore, newId } from "./responses-store.ts";
import type {
  FunctionCall,
  InputMessage,
  InputPart,
  Item,
  OutputMessage,
  ReasoningItem,
  Refusal,
} from "./responses-wire.ts";
import { toolCall } from "./tools.ts";
import { checkShape, pathName, valueError } from "./validate.ts";

const name = z.string().check(z.minLength(1));
const content = z.union([z.string(), z.array(z.unknown())]);

const message = z.object({
  role: z.enum(["user", "assistant", "system", "developer"]),
  content,
});

const functionCall = z.object({
  call_id: name,
  name,
  arguments: toolCall.shape.function.shape.arguments,
});

const functionCallOutput = z.object({ call_id: name, output: content });

const reasoning = z.object({
  summary: z.nullish(z.array(z.object({ text: z.string() }))),
  content: z.nullish(z.array(z.object({ text: z.string() }))),
});

const parts = {
  input_text: z.object({ text: z.string() }),
  input_image: z.object({
    image_url: z.nullish(name),
    file_id: z.nullish(z.string()),
    detail: z.nullish(z.enum(["auto", "low", "high", "original"])),
  }),
  output_text: z.object({ text: z.string() }),
  refusal: z.object({ refusal: z.string() }),
};

const ITEM_TYPES = [
  "message",
  "function_call",
  "function_call_output",
  "reasoning",
  "item_reference",
];

/** A part of a request's body, by its path. */
interface BodyPath {
  readonly body: unknown;
  readonly path: readonly PropertyKey[];
}

const within = ({ body, path }: BodyPath, ...keys: PropertyKey[]): BodyPath => ({
  body,
  path: [...path, ...keys],
});

const checked = <T extends z.ZodMiniType>(shape: T, { body, path }: BodyPath): z.output<T> =>
  checkShape(shape, body, path);

/**
 * The items of a request's `input`, each with a new id. A text becomes a message from the user.
 *
 * @param body the body that contains `input`
 * @param store the store that item references refer to
 * @throws OpenAIError for the first invalid item, naming its path
 */
export function inputItems(
  input: string | readonly unknown[],
  body: unknown,
  store: ResponseStore,
): Item[] {
  if (typeof input !== "string") {
    return input.map((_, i) => itemAt({ body, path: ["input", i] }, store));
  }
  return [inputMessage("user", [{ type: "input_text", text: input }])];
}

function itemAt(at: BodyPath, store: ResponseStore): Item {
  const item = checked(
    z.object({
      type: z.nullish(z.string()),
      role: z.nullish(z.string()),
      id: z.nullish(z.string()),
    }),
    at,
  );
  // Messages and item references may leave out their type.
  const type = item.type ?? (item.id && !item.role ? "item_reference" : "message");
  switch (type) {
    case "message":
      return messageAt(at);
    case "function_call":
      return functionCallAt(at);
    case "function_call_output":
      return functionCallOutputAt(at);
    case "reasoning":
      return reasoningAt(at);
    case "item_reference":
      return referencedItem(at, store);
    default:
      throw valueError(pathName([...at.path, "type"]), oneOf(ITEM_TYPES), type);
  }
}

function messageAt(at: BodyPath): InputMessage | OutputMessage {
  const { role, content } = checked(message, at);
  const contentPath = within(at, "content");
  if (role !== "assistant") return inputMessage(role, inputParts(content, contentPath));
  const answer = (content: OutputMessage["content"]): OutputMessage => ({
    type: "message",
    id: newId("msg"),
    status: "completed",
    role,
    content,
  });
  if (typeof content === "string") return answer([outputText(content)]);
  return answer(content.map((_, i) => outputPart(within(contentPath, i))));
}

function inputMessage(role: InputMessage["role"], content: InputPart[]): InputMessage {
  return { type: "message", id: newId("msg"), status: "completed", role, content };
}

function inputParts(content: string | unknown[], at: BodyPath): InputPart[] {
  if (typeof content === "string") return [{ type: "input_text", text: content }];
  return content.map((_, i) => inputPart(within(at, i)));
}

function inputPart(at: BodyPath): InputPart {
  const type = partType(at, ["input_text", "input_image"]);
  if (type === "input_text") return { type, text: checked(parts.input_text, at).text };
  const { image_url, file_id, detail } = checked(parts.input_image, at);
  if (image_url) return { type, detail: detail ?? "auto", image_url };
  if (!file_id) checked(name, within(at, "image_url"));
  const param = pathName([...at.path, "file_id"]);
  const message = "'file_id' is not supported, since files are not stored: use 'image_url'.";
  throw new OpenAIError(400, message, { code: "unsupported_content_part", param });
}

/** A part of an earlier answer: as it was returned, or as input text. */
function outputPart(at: BodyPath): OutputMessage["content"][number] {
  const type = partType(at, ["output_text", "refusal", "input_text"]);
  if (type !== "refusal") return outputText(checked(parts.output_text, at).text);
  return { type, refusal: checked(parts.refusal, at).refusal } satisfies Refusal;
}

function partType<Type extends string>(at: BodyPath, known: readonly Type[]): Type {
  const { type } = checked(z.object({ type: z.string() }), at);
  if ((known as readonly string[]).includes(type)) return type as Type;
  const message = `Content parts of type '${type}' are not supported here: expected ${oneOf(known)}.`;
  const param = pathName(at.path);
  throw new OpenAIError(400, message, { code: "unsupported_content_part", param });
}

function functionCallAt(at: BodyPath): FunctionCall {
  const call = checked(functionCall, at);
  return { type: "function_call", id: newId("fc"), ...call, status: "completed" };
}

function functionCallOutputAt(at: BodyPath): Item {
  const { call_id, output } = checked(functionCallOutput, at);
  return {
    type: "function_call_output",
    id: newId("fco"),
    call_id,
    output: typeof output === "string" ? output : inputParts(output, within(at, "output")),
    status: "completed",
  };
}

function reasoningAt(at: BodyPath): ReasoningItem {
  const { summary, content } = checked(reasoning, at);
  return {
    type: "reasoning",
    id: newId("rs"),
    summary: (summary ?? []).map(({ text }) => ({ type: "summary_text", text })),
    content: (content ?? []).map(({ text }) => ({ type: "reasoning_text", text })),
    status: "completed",
  };
}

function referencedItem(at: BodyPath, store: ResponseStore): Item {
  const { id } = checked(z.object({ id: name }), at);
  const item = store.item(id);
  if (item) return item;
  const message = `Item with id '${id}' not found. Items are kept as long as a stored response contains them.`;
  const param = pathName([...at.path, "id"]);
  throw new OpenAIError(404, message, { code: "item_not_found", param });
}

/**
 * Checks that no item occurs twice, and that every function output follows its call.
 *
 * @param previous the items before the input
 * @throws OpenAIError naming the path in `input`
 */
export function checkOrder(previous: readonly Item[], input: readonly Item[]): void {
  const ids = new Set(previous.map(({ id }) => id));
  const calls = new Set(previous.map(callId));
  for (const [i, item] of input.entries()) {
    if (ids.has(item.id)) {
      throw valueError(`input[${i}].id`, "an item that is not in the conversation yet", item.id);
    }
    ids.add(item.id);
    calls.add(callId(item));
    if (item.type !== "function_call_output" || calls.has(item.call_id)) continue;
    const message = `No tool call found for function call output with call_id '${item.call_id}'.`;
    const param = `input[${i}].call_id`;
    throw new OpenAIError(400, message, { code: "invalid_value", param });
  }
}

/** The id of a complete call, which an output may answer. */
function callId(item: Item): string | undefined {
  const isComplete = item.type === "function_call" && item.status !== "incomplete";
  return isComplete ? item.call_id : undefined;
}

function oneOf(names: readonly string[]): string {
  return `one of ${names.map((name) => `'${name}'`).join(", ")}`;
}
