/** A value of a body that is not checked yet. */
type Json = Readonly<Record<string, unknown>>;

/**
 * Converts messages of a chat completion to OpenAI's form. Other clients and servers write roles in
 * capitals, `reasoning`, parts without a `type`, image URLs as strings, and tool calls without `id` or
 * `type`. Everything else stays unchanged and is checked later.
 *
 * @param body any value
 */
export function withMessageForms(body: unknown): unknown {
  const messages = (body as { messages?: unknown } | null)?.messages;
  if (!Array.isArray(messages)) return body;
  return { ...(body as object), messages: messages.map(messageForm) };
}

function messageForm(message: unknown, at: number): unknown {
  if (!isObject(message)) return message;
  const { role, content, tool_calls: calls, reasoning, ...rest } = message;
  return {
    ...rest,
    ...("role" in message && { role: typeof role === "string" ? role.toLowerCase() : role }),
    ...("content" in message && {
      content: Array.isArray(content) ? content.map(partForm) : content,
    }),
    ...("tool_calls" in message && {
      tool_calls: Array.isArray(calls) ? calls.map((call, i) => callForm(call, at, i)) : calls,
    }),
    reasoning_content: rest.reasoning_content ?? reasoning,
  };
}

function partForm(part: unknown): unknown {
  if (!isObject(part)) return part;
  const { image_url: image, min_pixels, max_pixels, ...rest } = part;
  const type = part.type ?? ["text", "image_url", "refusal"].find((type) => type in part);
  const named = type === undefined ? rest : { ...rest, type };
  if (image === undefined) return named;
  const object = typeof image === "string" ? { url: image } : image;
  return {
    ...named,
    image_url: isObject(object)
      ? {
          ...object,
          min_pixels: object.min_pixels ?? min_pixels,
          max_pixels: object.max_pixels ?? max_pixels,
        }
      : object,
  };
}

/** @param message the index of its message @param call the index of the call in it */
function callForm(value: unknown, message: number, call: number): unknown {
  if (!isObject(value)) return value;
  const { id = `call_${message}_${call}`, type = "function" } = value;
  return { ...value, id, type };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
