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

/** The body of a request, and where in it something is: errors name the path. */
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
 * The items of a request's `input`, each under a new id; a text is a message of the user.
 *
 * @param body what `input` is of
 * @param store has what items refer to
 * @throws OpenAIError for the first item that is wrong, naming its path
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

function itemAt(place: BodyPath, store: ResponseStore): Item {
  const asked = checked(
    z.object({
      type: z.nullish(z.string()),
      role: z.nullish(z.string()),
      id: z.nullish(z.string()),
    }),
    place,
  );
  // Messages may leave their type out, and so may references.
  const type = asked.type ?? (asked.id && !asked.role ? "item_reference" : "message");
  switch (type) {
    case "message":
      return messageAt(place);
    case "function_call":
      return functionCallAt(place);
    case "function_call_output":
      return functionCallOutputAt(place);
    case "reasoning":
      return reasoningAt(place);
    case "item_reference":
      return referredAt(place, store);
    default:
      throw valueError(pathName([...place.path, "type"]), oneOf(ITEM_TYPES), type);
  }
}

function messageAt(place: BodyPath): InputMessage | OutputMessage {
  const { role, content } = checked(message, place);
  const at = within(place, "content");
  if (role !== "assistant") return inputMessage(role, inputParts(content, at));
  const said = (content: OutputMessage["content"]): OutputMessage => ({
    type: "message",
    id: newId("msg"),
    status: "completed",
    role,
    content,
  });
  if (typeof content === "string") return said([outputText(content)]);
  return said(content.map((_, i) => outputPart(within(at, i))));
}

function inputMessage(role: InputMessage["role"], content: InputPart[]): InputMessage {
  return { type: "message", id: newId("msg"), status: "completed", role, content };
}

function inputParts(content: string | unknown[], at: BodyPath): InputPart[] {
  if (typeof content === "string") return [{ type: "input_text", text: content }];
  return content.map((_, i) => inputPart(within(at, i)));
}

function inputPart(place: BodyPath): InputPart {
  const type = partType(place, ["input_text", "input_image"]);
  if (type === "input_text") return { type, text: checked(parts.input_text, place).text };
  const { image_url, file_id, detail } = checked(parts.input_image, place);
  if (image_url) return { type, detail: detail ?? "auto", image_url };
  if (!file_id) checked(name, within(place, "image_url"));
  const param = pathName([...place.path, "file_id"]);
  const message = "Images can't be given by 'file_id', since no files are kept: use 'image_url'.";
  throw new OpenAIError(400, message, { code: "unsupported_content_part", param });
}

/** An earlier answer may come back as it was, or as a plain text part. */
function outputPart(place: BodyPath): OutputMessage["content"][number] {
  const type = partType(place, ["output_text", "refusal", "input_text"]);
  if (type !== "refusal") return outputText(checked(parts.output_text, place).text);
  return { type, refusal: checked(parts.refusal, place).refusal } satisfies Refusal;
}

function partType<Type extends string>(place: BodyPath, known: readonly Type[]): Type {
  const { type } = checked(z.object({ type: z.string() }), place);
  if ((known as readonly string[]).includes(type)) return type as Type;
  const message = `Content parts of type '${type}' are not supported here: expected ${oneOf(known)}.`;
  const param = pathName(place.path);
  throw new OpenAIError(400, message, { code: "unsupported_content_part", param });
}

function functionCallAt(place: BodyPath): FunctionCall {
  const call = checked(functionCall, place);
  return { type: "function_call", id: newId("fc"), ...call, status: "completed" };
}

function functionCallOutputAt(place: BodyPath): Item {
  const { call_id, output } = checked(functionCallOutput, place);
  return {
    type: "function_call_output",
    id: newId("fco"),
    call_id,
    output: typeof output === "string" ? output : inputParts(output, within(place, "output")),
    status: "completed",
  };
}

function reasoningAt(place: BodyPath): ReasoningItem {
  const { summary, content } = checked(reasoning, place);
  return {
    type: "reasoning",
    id: newId("rs"),
    summary: (summary ?? []).map(({ text }) => ({ type: "summary_text", text })),
    content: (content ?? []).map(({ text }) => ({ type: "reasoning_text", text })),
    status: "completed",
  };
}

function referredAt(place: BodyPath, store: ResponseStore): Item {
  const { id } = checked(z.object({ id: name }), place);
  const item = store.item(id);
  if (item) return item;
  const message = `Item with id '${id}' not found: items are kept while a stored response has them.`;
  const param = pathName([...place.path, "id"]);
  throw new OpenAIError(404, message, { code: "item_not_found", param });
}

/**
 * Checks what items say of one another: none comes twice, and every output has its call before it.
 *
 * @param previous what comes before the input
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

/** Of a call that an output may be of. */
function callId(item: Item): string | undefined {
  const isWhole = item.type === "function_call" && item.status !== "incomplete";
  return isWhole ? item.call_id : undefined;
}

function oneOf(names: readonly string[]): string {
  return `one of ${names.map((name) => `'${name}'`).join(", ")}`;
}
