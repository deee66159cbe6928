import { HERMES, LLAMA } from "./json-calls.ts";
import { LFM2, PYTHONIC } from "./pythonic.ts";
import type { ToolFormat } from "./tool-format.ts";

/**
 * The format of tool calls that a chat template asks for, found by the texts in its source. Without
 * any of them it is the format of Hermes and Qwen.
 */
export function toolFormat(template: string): ToolFormat {
  if (template.includes("<tool_call>")) return HERMES;
  if (/<\|tool_(list|call|response)_start\|>/.test(template)) return LFM2;
  if (/<\|python_(tag|start)\|>|"parameters\\*": dictionary/.test(template)) return LLAMA;
  if (/\[\s*func(tion)?_?name\w*\(/i.test(template)) return PYTHONIC;
  return HERMES;
}
