import { OpenAIError } from "../../openai/errors.ts";

/**
 * Ends a broken event stream with an error event, as OpenAI's API does. A body of any other type
 * simply fails, like a broken connection.
 *
 * @param gone aborts when the tab that writes the body is gone; its reason becomes the error
 */
export function failedEvents(response: Response, gone: AbortSignal): Response {
  const { body, status, headers } = response;
  if (!body || !headers.get("content-type")?.startsWith("text/event-stream")) return response;
  const reader = body.getReader();
  const events = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
        } catch (error) {
          if (!gone.aborted) return controller.error(error);
          const { body } = new OpenAIError(500, (gone.reason as Error).message, {
            code: "owner_gone",
          });
          controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(body)}\n\n`));
        }
        controller.close();
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return new Response(events, { status, headers });
}
