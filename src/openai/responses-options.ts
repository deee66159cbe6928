import type { ChatRequest } from "../chat/chat.ts";
import { answerOptions } from "./answer-options.ts";
import { effortVariables } from "./reasoning-effort.ts";
import { requestedTextFormat } from "./response-format.ts";
import type { CheckedRequest } from "./responses-request.ts";
import type { ToolChoice } from "./responses-wire.ts";
import { toolOptions } from "./tools.ts";
import type { ChatCompletionRequest } from "./wire.ts";

/** The options of a request in the shape of the chat layer. */
export function chatOptions(
  body: CheckedRequest,
  signal: AbortSignal,
): Omit<ChatRequest, "messages"> {
  const same = {
    ...body,
    max_completion_tokens: body.max_output_tokens,
    logprobs: body.include?.includes("message.output_text.logprobs"),
    stream_options: null,
    tools: body.tools.map(({ type, ...described }) => ({ type, function: described })),
    tool_choice: choiceOf(body.tool_choice),
  };
  return {
    ...answerOptions(same, signal),
    ...toolOptions(same),
    format: requestedTextFormat(body)?.format,
    templateVariables: { ...effortVariables(body.reasoning?.effort), ...body.chat_template_kwargs },
  };
}

/** The tool choice in the shape of chat completions. */
function choiceOf(choice: ToolChoice): ChatCompletionRequest["tool_choice"] {
  if (typeof choice === "string") return choice;
  if (choice.type === "function") return { type: "function", function: { name: choice.name } };
  const { type, mode, tools } = choice;
  const allowed = tools.map(({ type, name }) => ({ type, function: { name } }));
  return { type, allowed_tools: { mode, tools: allowed } };
}
