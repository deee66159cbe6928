import { HERMES, LLAMA } from "./json-calls.ts";
import { LFM2, PYTHONIC } from "./pythonic.ts";
import type { ToolFormat } from "./tool-format.ts";

/**
 * The format that a chat template teaches, told by the marks in it: that of Hermes, which Qwen has
 * too, if there are none.
 *
 * @param template the template's source
 */
export function toolFormat(template: string): ToolFormat {
  if (template.includes("<tool_call>")) return HERMES;
  if (/<\|tool_(list|call|response)_start\|>/.test(template)) return LFM2;
  if (/<\|python_(tag|start)\|>|"parameters\\*": dictionary/.test(template)) return LLAMA;
  if (/\[\s*func(tion)?_?name\w*\(/i.test(template)) return PYTHONIC;
  return HERMES;
}
