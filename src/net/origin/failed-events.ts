import { OpenAIError } from "../../openai/errors.ts";

/**
 * An answer whose events end with an error event, as the API has it, when what made them is gone;
 * any other body fails, as a broken connection's would.
 *
 * @param gone aborts with why the body can't go on
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
