import { describe, expect, test } from "vitest";
import { ScriptedGenerator, readCheckpoint } from "../../tests/chat-support.ts";
import { toolModel } from "../../tests/tool-templates.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { qwenVlProcessor } from "../models/qwen-vl-processor.ts";
import { type ChatRequest, chat } from "./chat.ts";
import { type ChatModel, chatModel } from "./model.ts";
import type { Tool } from "./tools.ts";

const CLOCK: Tool = { type: "function", function: { name: "clock" } };
const ASK: ChatRequest = {
  messages: [{ role: "user", content: "What time is it?" }],
  tools: [CLOCK],
};

/** The parts of an answer with this text. */
async function read(
  { model, generator }: { model: ChatModel; generator: ScriptedGenerator },
  text: string,
  request: Partial<ChatRequest> = {},
) {
  generator.ids = model.tokenizer.encode(text, { addSpecialTokens: false });
  const { deltas } = await chat(model, { ...ASK, ...request });
  const result = { text: "", reasoning: "", calls: [] as string[] };
  for await (const delta of deltas) {
    result.text += delta.text;
    result.reasoning += delta.reasoning ?? "";
    for (const { index, name = "", arguments: more } of delta.toolCalls ?? []) {
      result.calls[index] = (result.calls[index] ?? "") + name + more;
    }
  }
  return result;
}

function special(template: "lfm2" | "llama" | "qwen", ...tokens: string[]) {
  const generator = new ScriptedGenerator();
  const added = tokens.map((content) => ({ content, special: true }));
  return { generator, model: toolModel(generator, template, added) };
}

describe("tags that are special tokens", () => {
  const lfm2 = special("lfm2", "<|tool_call_start|>", "<|tool_call_end|>");
  const llama = special("llama", "<|python_tag|>");
  const qwen = special("qwen", "<think>", "</think>");

  test("are recognized, though special tokens are skipped", async () => {
    const marked = "So<|im_start|>. <|tool_call_start|>[clock()]<|tool_call_end|><|im_end|>";
    expect(
      lfm2.model.tokenizer.decode(lfm2.model.tokenizer.encode(marked, { addSpecialTokens: false })),
    ).toBe("So. [clock()]");
    expect(await read(lfm2, marked)).toEqual({ text: "So.", reasoning: "", calls: ["clock{}"] });
    expect(await read(llama, '<|python_tag|>{"name": "clock"}')).toMatchObject({
      calls: ["clock{}"],
    });
    expect(await read(qwen, "<think>Hm</think>So")).toMatchObject({ text: "So", reasoning: "Hm" });
  });

  test("are skipped if nothing is separated", async () => {
    const request = { tools: [] };
    expect(
      await read(lfm2, "<|tool_call_start|>[clock()]<|tool_call_end|>", request),
    ).toMatchObject({
      text: "[clock()]",
    });
  });

  test("stay in the text if reasoning stays there", async () => {
    const result = await read(qwen, "<think>Hm</think>So", { separateReasoning: false });
    expect(result).toMatchObject({ text: "<think>Hm</think>So", reasoning: "" });
  });
});

describe.each(["qwen2_5_vl", "qwen3_vl"])("with the tokenizer and template of %s", (folder) => {
  const files = readCheckpoint(`e2e/goldens/${folder}`);
  const generator = new ScriptedGenerator();
  const decodeImage = () => Promise.reject(new Error("no images"));
  const model = chatModel(files, {
    generator,
    processor: qwenVlProcessor(files),
    decodeImage,
    compileGrammar,
  });

  test("calls with special tokens are read", async () => {
    const marks = ["<tool_call>", "</tool_call>"].map((mark) => model.tokenizer.id(mark));
    const text =
      'Well.\n<tool_call>\n{"name": "clock", "arguments": {"zone": "Łódź 🙂"}}\n</tool_call><|im_end|>';
    const result = await read({ model, generator }, text);
    expect(generator.ids.filter((id) => marks.includes(id))).toEqual(marks);
    expect(result).toEqual({ text: "Well.", reasoning: "", calls: ['clock{"zone": "Łódź 🙂"}'] });
  });

  test("tools are described as in Qwen's training", async () => {
    await read({ model, generator }, "");
    const written = model.tokenizer.decode(generator.inputs.at(-1)?.ids ?? [], {
      skipSpecialTokens: false,
    });
    expect(written).toBe(
      "<|im_start|>system\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n" +
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n" +
        '{"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}\n</tools>\n\n' +
        "For each function call, return a json object with function name and arguments within " +
        "<tool_call></tool_call> XML tags:\n<tool_call>\n" +
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n' +
        "<|im_start|>user\nWhat time is it?<|im_end|>\n<|im_start|>assistant\n",
    );
  });
});

test("a choice of an unknown tool is refused before any image is read", async () => {
  const { model, generator } = special("qwen");
  const url = "http://nowhere.test/a.png";
  const messages: ChatRequest["messages"] = [
    { role: "user", content: [{ type: "image_url", image_url: { url } }] },
  ];
  const asked = chat(model, { ...ASK, messages, toolChoice: { name: "x" } });
  await expect(asked).rejects.toMatchObject({ code: "invalid_value", subject: "toolChoice" });
  expect(generator.inputs).toEqual([]);
});
