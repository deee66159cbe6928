import * as z from "zod/mini";
import type { ChatAnswer } from "../chat/answer-types.ts";
import { chat } from "../chat/chat.ts";
import { type Context, checkModel, loadedModel, readJson } from "./context.ts";
import { withPaths } from "./error-paths.ts";
import { OpenAIError } from "./errors.ts";
import { responseEvents, wholeResponse } from "./responses-events.ts";
import { checkOrder, inputItems } from "./responses-items.ts";
import { type LocatedMessage, responseMessages, responsePaths } from "./responses-messages.ts";
import { responseObject } from "./responses-object.ts";
import { chatOptions } from "./responses-options.ts";
import { validateResponse } from "./responses-request.ts";
import { type StoredResponse, itemsOf } from "./responses-store.ts";
import { askWithinContext } from "./responses-truncation.ts";
import type { DeletedResponse, ItemList, ResponseObject } from "./responses-wire.ts";
import { streamResponse } from "./stream-response.ts";
import { checkShape, integerIn, valueError } from "./validate.ts";

/** `POST responses` */
export async function postResponse(context: Context): Promise<Response> {
  const model = loadedModel(context);
  const { request, responses } = context;
  const json = await readJson(request);
  const body = validateResponse(json);
  checkModel(body.model, model);
  const previous = previousItems(context, body.previous_response_id);
  const items = inputItems(body.input ?? [], json, responses);
  checkOrder(previous, items);
  const messages = responseMessages(body.instructions, previous, items);
  const begun = responseObject(body, model);
  const answerWith = async (signal: AbortSignal): Promise<ChatAnswer> => {
    const options = chatOptions(body, signal);
    const ask = (messages: readonly LocatedMessage[]) =>
      withPaths(responsePaths(body, messages), () => chat(model.chat, { ...options, messages }));
    return body.truncation === "auto" ? askWithinContext(messages, ask) : ask(messages);
  };
  const keep = (response: ResponseObject) => {
    if (body.store ?? true) responses.put({ response, input: [...previous, ...items] });
  };
  if (!body.stream) {
    const response = await wholeResponse(await answerWith(request.signal), begun);
    keep(response);
    return Response.json(response);
  }
  return streamResponse(
    request,
    async (signal) => {
      const answer = await answerWith(signal);
      return { events: responseEvents(answer, begun, signal, keep), answers: [answer] };
    },
    ({ type }) => type,
  );
}

function previousItems({ responses }: Context, id: string | null | undefined) {
  if (!id) return [];
  const stored = responses.get(id);
  if (stored) return itemsOf(stored);
  const code = "previous_response_not_found";
  const param = "previous_response_id";
  throw new OpenAIError(400, `Previous response with id '${id}' not found.`, { code, param });
}

/** `GET responses/{id}` */
export async function getResponse(context: Context): Promise<Response> {
  const { response } = storedResponse(context);
  if (new URL(context.request.url).searchParams.get("stream") === "true") {
    const message =
      "A response can't be streamed again, since background responses are not supported.";
    throw new OpenAIError(400, message, { code: "unsupported_parameter", param: "stream" });
  }
  return Response.json(response);
}

/** `DELETE responses/{id}`: later responses of the conversation are kept. */
export async function deleteResponse(context: Context): Promise<Response> {
  const { id } = storedResponse(context).response;
  context.responses.delete(id);
  return Response.json({ id, object: "response", deleted: true } satisfies DeletedResponse);
}

const listQuery = z.object({
  limit: z.optional(integerIn(1, 100)),
  order: z.optional(z.enum(["asc", "desc"])),
  after: z.optional(z.string()),
});

/** `GET responses/{id}/input_items`: the conversation before the response, in pages. */
export async function getInputItems(context: Context): Promise<Response> {
  const { input } = storedResponse(context);
  const { searchParams } = new URL(context.request.url);
  const query = Object.fromEntries(
    [...searchParams].map(([key, value]) => [key, /^\d+$/.test(value) ? Number(value) : value]),
  );
  const { limit = 20, order = "desc", after } = checkShape(listQuery, query);
  const items = order === "asc" ? input : input.toReversed();
  const last = items.findIndex(({ id }) => id === after);
  if (after !== undefined && last < 0) throw valueError("after", "the id of an item", after);
  const data = items.slice(last + 1, last + 1 + limit);
  return Response.json({
    object: "list",
    data,
    first_id: data.at(0)?.id ?? "",
    last_id: data.at(-1)?.id ?? "",
    has_more: last + 1 + limit < items.length,
  } satisfies ItemList);
}

function storedResponse({ id, responses }: Context): StoredResponse {
  const stored = responses.get(id);
  if (stored) return stored;
  throw new OpenAIError(404, `Response with id '${id}' not found.`, { param: "id" });
}
