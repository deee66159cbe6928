import { describe, expect, test } from "vitest";
import type { TemplateMessage } from "./template-message.ts";
import { TemplateError, chatTemplate } from "./template.ts";

const HELLO: TemplateMessage[] = [{ role: "user", content: "Hello" }];
const BOTH =
  "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}" +
  "{% for p in m.content %}{{ p.text if p.type == 'text' else '<image>' }}{% endfor %}{% endif %}{% endfor %}";

const read = (source: string, named = {}) => chatTemplate({ "chat_template.jinja": source }, named);

describe("the location of a template", () => {
  const named = [
    { name: "tool_use", template: "tools" },
    { name: "default", template: "default" },
  ];
  test.each([
    ["a list of named templates", { "tokenizer_config.json": { chat_template: named } }, "default"],
    ["one among several files", { "additional_chat_templates/default.jinja": "plain" }, "plain"],
  ])("%s", (_, files, expected) => {
    expect(chatTemplate(files, {}).render(HELLO)).toBe(expected);
  });

  test("the processor's own come first, the tokenizer's last", () => {
    const files: Record<string, unknown> = {
      "processor_config.json": { chat_template: "1 processor_config.json" },
      "chat_template.json": { chat_template: "2 chat_template.json" },
      "chat_template.jinja": "3 chat_template.jinja",
      "tokenizer_config.json": { chat_template: "4 tokenizer_config.json" },
    };
    const found: string[] = [];
    for (const name of Object.keys(files)) {
      found.push(chatTemplate(files, {}).render(HELLO));
      // A processor_config.json mostly has no template.
      if (name === "processor_config.json") files[name] = { chat_template: null };
      else delete files[name];
    }
    expect(found.map((text) => text[0])).toEqual(["1", "2", "3", "4"]);
  });

  test("a template for tools in a file of its own", () => {
    const files = {
      "chat_template.jinja": "plain",
      "additional_chat_templates/tool_use.jinja": "tools",
      "tokenizer_config.json": { chat_template: "tokenizer" },
    };
    expect(chatTemplate(files, {}).render(HELLO)).toBe("plain");
    expect(chatTemplate(files, {}).render(HELLO, { tools: [{}] })).toBe("tools");
  });

  test("none", () => {
    expect(() => chatTemplate({ "tokenizer_config.json": {} }, {})).toThrow(TemplateError);
  });

  test("none of several is the default", () => {
    const list = [{ name: "rag", template: "rag" }];
    const files = { "tokenizer_config.json": { chat_template: list } };
    expect(() => chatTemplate(files, {})).toThrow('none is named "default": rag');
  });
});

describe("the variables of a template", () => {
  test("special tokens, and a prompt to answer", () => {
    const template = read("{{ bos_token }}{{ eos_token }}{{ 'yes' if add_generation_prompt }}", {
      bos_token: "<s>",
    });
    expect(template.render(HELLO)).toBe("<s>yes");
  });

  test("further variables, which do not replace the messages", () => {
    const template = read("{{ mood }} {{ messages | length }}");
    expect(template.render(HELLO, { mood: "calm", messages: [] })).toBe("calm 1");
  });

  test("the date", () => {
    expect(read("{{ strftime_now('%Y') }}").render(HELLO)).toMatch(/^20\d\d$/);
  });
});

describe("the forms of content that a template writes", () => {
  test.each([
    ["both", BOTH, true, true],
    ["strings only", "{% for m in messages %}{{ m.content + '!' }}{% endfor %}", true, false],
    ["strings only, dumping lists", "{{ messages[0].content }}", true, false],
    ["lists only", "{% for p in messages[0].content %}{{ p['text'] }}{% endfor %}", false, true],
    ["nothing", "{{ raise_exception('no') }}", false, false],
  ])("%s", (_, source, string, list) => {
    expect(read(source).content).toEqual({ string, list });
  });
});

test.each([
  ["a turn's end", "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"],
  ["parts", "{% for m in messages %}<|{{ m.role }}|>{{ m.content[0]['text'] }}<|end|>{% endfor %}"],
])("what is written after an answer: %s", (_, source) => {
  expect(read(source).afterAnswer).toMatch(/^<\|end\|><\|user\|>/);
});

describe("errors", () => {
  test("the template's own message", () => {
    const template = read("{{ raise_exception('Roles must alternate') }}");
    expect(() => template.render(HELLO)).toThrow(
      new TemplateError("chat template: Roles must alternate"),
    );
  });

  test("a template that is not Jinja", () => {
    expect(() => read("{% if %}")).toThrow(TemplateError);
  });
});
