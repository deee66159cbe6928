import type { ChatRequest } from "../chat/chat.ts";
import type { AnswerFormat } from "../chat/format.ts";
import { answerOptions } from "./answer-options.ts";
import { effortVariables } from "./reasoning-effort.ts";
import type { CheckedRequest } from "./responses-request.ts";
import type { TextFormat, ToolChoice } from "./responses-wire.ts";
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
    format: textFormat(body.text.format),
    templateVariables: { ...effortVariables(body.reasoning?.effort), ...body.chat_template_kwargs },
  };
}

function textFormat(format: TextFormat): AnswerFormat | undefined {
  switch (format.type) {
    case "text":
      return undefined;
    case "json_object":
      return { type: "json_object" };
    case "json_schema":
      return { type: "json_schema", schema: format.schema };
  }
}

/** The tool choice in the shape of chat completions. */
function choiceOf(choice: ToolChoice): ChatCompletionRequest["tool_choice"] {
  if (typeof choice === "string") return choice;
  if (choice.type === "function") return { type: "function", function: { name: choice.name } };
  const { type, mode, tools } = choice;
  const allowed = tools.map(({ type, name }) => ({ type, function: { name } }));
  return { type, allowed_tools: { mode, tools: allowed } };
}
