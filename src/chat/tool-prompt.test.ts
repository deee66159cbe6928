import { describe, expect, test } from "vitest";
import { ScriptedGenerator, readCheckpoint } from "../../tests/chat-support.ts";
import { TEMPLATES, toolModel } from "../../tests/tool-templates.ts";
import { chatTemplate } from "../text/template.ts";
import { HERMES, LLAMA } from "./json-calls.ts";
import type { ChatMessage, ContentPart } from "./messages.ts";
import { buildPrompt } from "./prompt.ts";
import { LFM2, PYTHONIC } from "./pythonic.ts";
import { RequestError } from "./request-error.ts";
import { toolFormat } from "./tool-formats.ts";
import type { Tool } from "./tools.ts";

const WEATHER: Tool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather at a place",
    parameters: { type: "object", properties: { place: { type: "string" } } },
    strict: true,
  },
};
const CLOCK: Tool = { type: "function", function: { name: "clock" } };

const generator = new ScriptedGenerator();
const models = {
  sample: toolModel(generator),
  qwen: toolModel(generator, "qwen"),
  llama: toolModel(generator, "llama"),
  lfm2: toolModel(generator, "lfm2"),
  gemma: toolModel(generator, "gemma"),
  strict: toolModel(generator, "strict"),
  developer: toolModel(generator, "developer"),
};
type Name = keyof typeof models;

const layout = models.sample.processor.layout(64, 64, "auto");
const decoded = { width: 64, height: 64, source: new Uint8Array() };
const IMAGE: ContentPart = { type: "image_url", image_url: { url: "data:," } };

/** The text of the prompt, with `<image>` for each image. */
function prompt(name: Name, messages: readonly ChatMessage[], tools: readonly Tool[] = []): string {
  const count = messages.flatMap(({ content }) =>
    typeof content === "string" ? [] : content.filter(({ type }) => type === "image_url"),
  ).length;
  const images = Array(count).fill({ decoded, layout });
  return buildPrompt(models[name], messages, images, { tools }).text.replaceAll(
    layout.prompt,
    "<image>",
  );
}

const user = (content: ChatMessage["content"]): ChatMessage => ({ role: "user", content });
const CALLED: ChatMessage = {
  role: "assistant",
  content: "",
  toolCalls: [{ id: "call_1", name: "get_weather", arguments: '{"place":"Oslo","days":2}' }],
};
const CALLED_TWICE: ChatMessage = {
  role: "assistant",
  content: "Let me see.",
  toolCalls: [
    { id: "call_1", name: "get_weather", arguments: '{"place": "Oslo"}' },
    { id: "call_2", name: "clock", arguments: "{}" },
  ],
};
const result = (toolCallId: string, content: ChatMessage["content"]): ChatMessage => ({
  role: "tool",
  toolCallId,
  content,
});

const TOLD =
  '{"type": "function", "function": {"name": "get_weather", "description": "The weather at a place", ' +
  '"parameters": {"type": "object", "properties": {"place": {"type": "string"}}}}}';
const TOLD_CLOCK =
  '{"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}';

test("what each template supports", () => {
  const none = { developer: false, tools: false, toolCalls: false, toolResults: false };
  const all = { system: true, developer: false, tools: true, toolCalls: true, toolResults: true };
  const expected: Record<Name, object> = {
    sample: { ...none, system: true },
    qwen: all,
    llama: all,
    lfm2: { ...all, toolCalls: false },
    gemma: { ...none, system: true },
    strict: { ...none, system: false },
    developer: { ...none, system: false, developer: true },
  };
  for (const [name, model] of Object.entries(models)) {
    expect(model.template.writes, name).toEqual(expected[name as Name]);
  }
  const golden = chatTemplate(readCheckpoint("e2e/goldens/qwen2_5_vl"), {});
  expect(golden.writes).toEqual({ ...none, system: true });
});

test("the template's source determines the format of calls", () => {
  expect(toolFormat(TEMPLATES.qwen)).toBe(HERMES);
  expect(toolFormat(TEMPLATES.llama)).toBe(LLAMA);
  expect(toolFormat('{{- \'{"name": function name, \\"parameters\\": dictionary of\'')).toBe(LLAMA);
  expect(toolFormat("{% if builtin_tools %}<|python_tag|>{% endif %}")).toBe(LLAMA);
  expect(toolFormat(TEMPLATES.lfm2)).toBe(LFM2);
  expect(toolFormat("[func_name1(params_name1=params_value1, ...), func_name2(params)]")).toBe(
    PYTHONIC,
  );
  expect(toolFormat(TEMPLATES.gemma)).toBe(HERMES);
});

describe("tools", () => {
  test("are written by templates that support them", () => {
    const system = "<|im_start|>system\nBe brief\n\n<tools>\n";
    const written = prompt(
      "qwen",
      [{ role: "system", content: "Be brief" }, user("Hi")],
      [WEATHER, CLOCK],
    );
    expect(written).toContain(`${system}${TOLD}\n${TOLD_CLOCK}\n</tools>`);
    expect(prompt("llama", [user("Hi")], [CLOCK])).toContain(
      '{\n    "type": "function",\n    "function": {\n        "name": "clock",',
    );
    expect(prompt("lfm2", [user("Hi")], [WEATHER])).toContain(`<|tool_list_start|>[${TOLD}]`);
  });

  test("are otherwise described in a system message", () => {
    const written = prompt("sample", [user("Hi")], [WEATHER, CLOCK]);
    expect(written).toMatch(/^<\|im_start\|>System: # Tools\n\nYou may call/);
    expect(written).toContain(`<tools>\n${TOLD}\n${TOLD_CLOCK}\n</tools>`);
    expect(written).toContain(
      '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}',
    );
    expect(written).toMatch(
      /<\/tool_call><end_of_utterance>\nUser: Hi<end_of_utterance>\nAssistant:$/,
    );
  });

  test("are described after the system message's text, or before the user's", () => {
    const messages: ChatMessage[] = [
      { role: "developer", content: "Be brief" },
      user([IMAGE, { type: "text", text: "Hi" }]),
    ];
    expect(prompt("sample", messages, [CLOCK])).toContain("System: Be brief\n\n# Tools\n");
    expect(prompt("strict", messages, [CLOCK])).toMatch(
      /^user: Be brief\n\n# Tools\n[^]*<\/tool_call>\n\n<image>Hi\n/,
    );
  });

  test("are described as text if the template leaves them out or refuses their messages", () => {
    const { text, toolFormat } = buildPrompt(
      models.llama,
      [user([IMAGE, { type: "text", text: "Hi" }])],
      [{ decoded, layout }],
      { tools: [CLOCK] },
    );
    expect(text).toMatch(/^<\|user\|># Tools\n/);
    expect(toolFormat).toBe(HERMES);
    const two = prompt("llama", [
      user("Hi"),
      CALLED_TWICE,
      result("call_1", "rain"),
      result("call_2", "noon"),
    ]);
    expect(two).toBe(
      '<|user|>Hi<|eot_id|><|assistant|>Let me see.\n{"name": "get_weather", "parameters": {"place": "Oslo"}}; ' +
        '{"name": "clock", "parameters": {}}<|eot_id|><|user|><tool_response>\nrain\n</tool_response>\n' +
        "<tool_response>\nnoon\n</tool_response><|eot_id|><|assistant|>",
    );
  });

  test("an empty list does not change the prompt", () => {
    expect(prompt("qwen", [user("Hi")])).toBe(
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    );
    expect(buildPrompt(models.qwen, [user("Hi")], [], { tools: [] }).toolFormat).toBeUndefined();
  });

  test("with a placeholder in their texts keep it as text", () => {
    const named = {
      ...CLOCK.function,
      description: "Draws <image>",
      parameters: { "<image>": ["<image>"] },
    };
    const tools: Tool[] = [{ type: "function", function: named }];
    const call: ChatMessage = {
      role: "assistant",
      content: "",
      reasoning: "an <image>",
      toolCalls: [{ id: "1", name: "clock", arguments: '{"<image>": "\\u003cimage>"}' }],
    };
    for (const name of ["sample", "qwen"] as const) {
      const built = buildPrompt(models[name], [user("Hi"), call, result("1", "<image>")], [], {
        tools,
      });
      expect(built.imageTokens).toBe(0);
      expect(built.text).toContain("Draws <image>");
      expect(built.text).toMatch(/\{"<image>": ?"<image>"\}/);
    }
  });
});

describe("calls and their results", () => {
  const messages = [user("Rain?"), CALLED_TWICE, result("call_1", "yes"), result("call_2", "noon")];

  test("are written by templates that support them", () => {
    expect(prompt("qwen", messages)).toBe(
      "<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\nLet me see.\n" +
        '<tool_call>\n{"name": "get_weather", "arguments": {"place": "Oslo"}}\n</tool_call>\n' +
        '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call><|im_end|>\n<|im_start|>user\n' +
        "<tool_response>\nyes\n</tool_response>\n<tool_response>\nnoon\n</tool_response><|im_end|>\n" +
        "<|im_start|>assistant\n",
    );
    expect(prompt("llama", [user("Rain?"), CALLED, result("call_1", "yes")])).toBe(
      '<|user|>Rain?<|eot_id|><|assistant|>{"name": "get_weather", "parameters": {"place": "Oslo", "days": 2}}' +
        "<|eot_id|><|ipython|>yes<|eot_id|><|assistant|>",
    );
  });

  test("otherwise become text, calls and results independently", () => {
    expect(prompt("lfm2", [user("Rain?"), CALLED, result("call_1", "yes")])).toBe(
      '<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n<|tool_call_start|>[get_weather(place="Oslo", days=2)]' +
        "<|tool_call_end|><|im_end|>\n<|im_start|>tool\n<|tool_response_start|>yes<|tool_response_end|><|im_end|>\n" +
        "<|im_start|>assistant\n",
    );
    expect(prompt("sample", messages)).toBe(
      "<|im_start|>User: Rain?<end_of_utterance>\nAssistant: Let me see.\n" +
        '<tool_call>\n{"name": "get_weather", "arguments": {"place": "Oslo"}}\n</tool_call>\n' +
        '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call><end_of_utterance>\nUser: ' +
        "<tool_response>\nyes\n</tool_response>\n<tool_response>\nnoon\n</tool_response><end_of_utterance>\nAssistant:",
    );
  });

  test("alternate with messages from the assistant if they must", () => {
    const asked = [
      ...messages,
      user("So?"),
      { role: "assistant", content: "Take one." } as const,
      user("Thanks"),
    ];
    expect(prompt("gemma", asked, [WEATHER, CLOCK])).toMatch(
      /^<start_of_turn>user\n# Tools[^]*\n\nRain\?<end_of_turn>\n<start_of_turn>model\nLet[^]*<end_of_turn>\n<start_of_turn>user\n<tool_response>\nyes[^]*noon\n<\/tool_response>\nSo\?<end_of_turn>\n<start_of_turn>model\nTake one\./,
    );
  });

  test("may contain images in any message", () => {
    const content = [{ type: "text" as const, text: "now" }, IMAGE];
    const shown = [
      user([IMAGE]),
      CALLED,
      result("call_1", content),
      user([IMAGE, { type: "text", text: "?" }]),
    ];
    expect(prompt("qwen", shown)).toContain("<tool_response>\nnow<image>\n</tool_response>");
    expect(prompt("lfm2", shown)).toContain(
      "<|tool_response_start|>now<image><|tool_response_end|>",
    );
    expect(prompt("sample", shown)).toContain(
      "User: <tool_response>\nnow<image>\n</tool_response>\n<image>?<end_of_utterance>",
    );
  });

  test("have names, ids and parsed arguments in templates", () => {
    const template = chatTemplate(
      {
        "chat_template.jinja": "{% for m in messages %}{{ m | tojson }}\n{% endfor %}{{ 'tool' }}",
      },
      {},
    );
    const { text } = buildPrompt(
      { ...models.sample, template },
      [user("Rain?"), CALLED, result("call_1", "yes")],
      [],
    );
    expect(text).toContain(
      '"tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": {"place": "Oslo", "days": 2}}}]',
    );
    expect(text).toContain(
      '"role": "tool", "content": "yes", "name": "get_weather", "tool_call_id": "call_1"',
    );
  });

  test("an error of the template is thrown if no form works", () => {
    const alternating = [user("a"), user("b")];
    expect(() => prompt("gemma", alternating, [CLOCK])).toThrow(RequestError);
    expect(() => prompt("gemma", alternating, [CLOCK])).toThrow(/roles must alternate/);
  });
});

describe("system and developer messages", () => {
  const system: ChatMessage = { role: "system", content: "Be brief" };

  test("go before the user's text if the template does not write them", () => {
    expect(prompt("strict", [system, user("Hi")])).toBe("user: Be brief\n\nHi\nassistant:");
    const parts = [IMAGE, { type: "text" as const, text: "Hi" }];
    expect(prompt("strict", [system, user(parts)])).toBe("user: Be brief\n\n<image>Hi\nassistant:");
    expect(prompt("developer", [system, user("Hi")])).toBe("[Be brief]user: Hi\n");
  });

  test("go there too if the template refuses them only in this conversation", () => {
    const shown = [system, user([IMAGE, { type: "text", text: "Hi" }])];
    expect(prompt("llama", shown)).toBe("<|user|>Be brief\n\n<image>Hi<|eot_id|><|assistant|>");
    expect(prompt("llama", [system, user("Hi")])).toBe(
      "<|system|>Be brief<|eot_id|><|user|>Hi<|eot_id|><|assistant|>",
    );
    const later = [user("Hi"), { role: "assistant", content: "Ho" } as const, system, user("So?")];
    expect(prompt("gemma", later)).toContain("<start_of_turn>user\nBe brief\n\nSo?<end_of_turn>");
  });

  test("are joined, and become a message from the user at the end", () => {
    const other: ChatMessage = { role: "developer", content: "In French" };
    expect(prompt("strict", [system, other, user("Hi")])).toBe(
      "user: Be brief\n\nIn French\n\nHi\nassistant:",
    );
    expect(prompt("strict", [system])).toBe("user: Be brief\nassistant:");
  });

  test("a developer message is a system message unless the template has developers", () => {
    const messages: ChatMessage[] = [{ role: "developer", content: "Be brief" }, user("Hi")];
    expect(prompt("qwen", messages)).toContain("<|im_start|>system\nBe brief<|im_end|>");
    expect(prompt("developer", messages)).toBe("[Be brief]user: Hi\n");
  });
});

describe("reasoning of earlier messages", () => {
  const messages: ChatMessage[] = [
    user("Hi"),
    { role: "assistant", content: "Ho", reasoning: "Hm" },
    user("So?"),
  ];
  test("is written by templates that support it, and otherwise left out", () => {
    expect(prompt("qwen", messages)).toContain("assistant\n<think>\nHm\n</think>\n\nHo<|im_end|>");
    expect(prompt("sample", messages)).not.toContain("Hm");
  });
});

describe("with several named templates", () => {
  const named = [
    { name: "default", template: "plain {{ messages[0].content }}" },
    { name: "tool_use", template: "<tool_call> {{ tools | tojson }} {{ messages[0].content }}" },
  ];
  const template = chatTemplate({ "tokenizer_config.json": { chat_template: named } }, {});
  test("the one for tools is used only with tools", () => {
    const model = { ...models.sample, template };
    expect(buildPrompt(model, [user("Hi")], []).text).toBe("plain Hi");
    const built = buildPrompt(model, [user("Hi")], [], { tools: [CLOCK] });
    expect(built.text).toBe(`<tool_call> [${TOLD_CLOCK}] Hi`);
    expect(built.toolFormat).toBe(HERMES);
  });
});
