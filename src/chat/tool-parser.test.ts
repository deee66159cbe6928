import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HERMES, LLAMA } from "./json-calls.ts";
import { LFM2, PYTHONIC } from "./pythonic.ts";
import type { ToolFormat } from "./tool-format.ts";
import { ToolParser } from "./tool-parser.ts";

const FORMATS = { hermes: HERMES, llama: LLAMA, pythonic: PYTHONIC, lfm2: LFM2 };
const NAMES = new Set(["f", "get_weather", "look-up"]);

interface Read {
  text: string;
  calls: { name: string; arguments: string }[];
}

interface Options {
  readonly early?: boolean;
  readonly isSingle?: boolean;
}

/** The text and the calls in `pieces`. `ids` receives the ids of the calls. */
function read(
  format: ToolFormat,
  pieces: readonly string[],
  { early = false, isSingle = false }: Options = {},
  ids: string[] = [],
): Read {
  const parser = new ToolParser({ format, names: NAMES, early, isSingle });
  const result: Read = { text: "", calls: [] };
  for (const parsed of [...pieces.map((piece) => parser.push(piece)), parser.end()]) {
    result.text += parsed.text;
    for (const { index, id, name, arguments: more } of parsed.calls) {
      if (id === undefined || name === undefined) {
        (result.calls[index] as Read["calls"][0]).arguments += more;
      } else {
        expect([index, more]).toEqual([result.calls.length, ""]);
        result.calls.push({ name, arguments: "" });
        ids.push(id);
      }
    }
  }
  return result;
}

const both = (format: ToolFormat, text: string): Read => {
  const whole = read(format, [text]);
  expect(read(format, [text], { early: true })).toEqual(whole);
  return whole;
};

const call = (name: string, json: string) => ({ name, arguments: json });
const hermes = (name: string, json: string) =>
  `<tool_call>\n{"name": "${name}", "arguments": ${json}}\n</tool_call>`;

describe("calls of Hermes", () => {
  test.each<[string, string, Read["calls"], string]>([
    ["one", hermes("f", '{"a": 1}'), [call("f", '{"a": 1}')], ""],
    [
      "two",
      `${hermes("f", "{}")}\n${hermes("look-up", '{"q": "x"}')}`,
      [call("f", "{}"), call("look-up", '{"q": "x"}')],
      "",
    ],
    ["after text", `Let me see.\n${hermes("f", "{}")}\n`, [call("f", "{}")], "Let me see."],
    ["before text", `${hermes("f", "{}")}\n Done. `, [call("f", "{}")], "Done. "],
    [
      "around text",
      `${hermes("f", "{}")}\nand\n${hermes("f", "{}")}`,
      [call("f", "{}"), call("f", "{}")],
      "and",
    ],
    [
      "two in one tag",
      '<tool_call>{"name": "f"} {"name": "f", "arguments": {"a":[1,{}]}}</tool_call>',
      [call("f", "{}"), call("f", '{"a":[1,{}]}')],
      "",
    ],
    ["without an end tag", '<tool_call>{"name": "f", "arguments": {}}', [call("f", "{}")], ""],
    ["with another key", '<tool_call>{"id": 7, "name": "f"}</tool_call>', [call("f", "{}")], ""],
    ["without arguments", '<tool_call>{"name": "f"}</tool_call>', [call("f", "{}")], ""],
    [
      "with null arguments",
      '<tool_call>{"name": "f", "arguments": null}</tool_call>',
      [call("f", "{}")],
      "",
    ],
    [
      "with the arguments first",
      '<tool_call>{"arguments": { "a" : 1 }, "name": "f"}</tool_call>',
      [call("f", '{ "a" : 1 }')],
      "",
    ],
    [
      "with JSON in a string",
      '<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>',
      [call("f", '{"a": 1}')],
      "",
    ],
    [
      "with tags in a string",
      hermes("f", '{"a": "</tool_call> <tool_call>"}'),
      [call("f", '{"a": "</tool_call> <tool_call>"}')],
      "",
    ],
    [
      "with all kinds of JSON values",
      hermes(
        "f",
        '{"a": [-1.5e+3, true, false, null, "\\u00e9\\n\\"\\\\"], "b": {"c": {}}, "é": []}',
      ),
      [
        call(
          "f",
          '{"a": [-1.5e+3, true, false, null, "\\u00e9\\n\\"\\\\"], "b": {"c": {}}, "é": []}',
        ),
      ],
      "",
    ],
  ])("%s", (_, text, calls, rest) => {
    expect(both(HERMES, text)).toEqual({ calls, text: rest });
  });

  test.each([
    ["no call", " A <tool> and a <tool_ call\n"],
    ["a tag at the end", "The tag <tool_call>"],
    ["a part of a tag at the end", "The tag <tool_ca"],
    ["text that is not JSON", "<tool_call>\n{name: f}\n</tool_call>"],
    ["a broken string", '<tool_call>{"name": "f", "x": "\n"}</tool_call>'],
    ["a list", '<tool_call>[{"name": "f"}]</tool_call>'],
    ["an unknown function", ` before ${hermes("rm", "{}")} after `],
    ["no name", '<tool_call>{"arguments": {}}</tool_call>'],
    ["arguments that are a list", '<tool_call>{"name": "f", "arguments": [1]}</tool_call>'],
    ["arguments that are a text", '<tool_call>{"name": "f", "arguments": "a"}</tool_call>'],
    ["a duplicate key", '<tool_call>{"name": "f", "name": "f"}</tool_call>'],
    ["a call that is cut off within its name", 'x\n<tool_call>\n{"name": "f'],
    ["a call that is cut off before its arguments", '<tool_call>\n{"name": "f", "arguments": '],
    ["a number with a leading zero", '<tool_call>{"x": 01, "name": "f"}</tool_call>'],
  ])("%s is text", (_, text) => {
    expect(both(HERMES, text)).toEqual({ text, calls: [] });
  });

  test("a call after an incomplete call", () => {
    const text = `<tool_call> <tool_call>{"name": <tool_call>${hermes("f", "{}").slice(11)}`;
    const expected = { text: '<tool_call> <tool_call>{"name":', calls: [call("f", "{}")] };
    expect(both(HERMES, text)).toEqual(expected);
    const cut = `<tool_call>{"name": "${hermes("f", "{}")}`;
    expect(both(HERMES, cut)).toEqual({ text: '<tool_call>{"name": "', calls: [call("f", "{}")] });
  });

  test("a call with malformed arguments", () => {
    const text = '<tool_call>{"name": "f", "arguments": {"a": 1,}}</tool_call>';
    expect(read(HERMES, [text])).toEqual({ text, calls: [] });
    // With `early`, the pieces that were returned can't be withdrawn. The rest is text.
    const result = { text: "}}</tool_call>", calls: [call("f", '{"a": 1,')] };
    expect(read(HERMES, [text], { early: true })).toEqual(result);
  });

  test("arguments that are cut off", () => {
    const text = 'x <tool_call>{"name": "f", "arguments": {"a": "b';
    expect(read(HERMES, [text])).toEqual({ text, calls: [] });
    const result = { text: "x", calls: [call("f", '{"a": "b')] };
    expect(read(HERMES, [text], { early: true })).toEqual(result);
  });

  test("early arguments arrive in pieces", () => {
    const parser = new ToolParser({ format: HERMES, names: NAMES, early: true, isSingle: false });
    const pieces = ['<tool_call>{"na', 'me": "f", "argu', 'ments": ', '{"a', '": "b', '"}', "}"];
    const parsed = pieces.map((piece) => parser.push(piece).calls);
    expect(parsed.map((calls) => calls.map((delta) => delta.arguments))).toEqual([
      [],
      [],
      [],
      ["", '{"a'],
      ['": "b'],
      ['"}'],
      [],
    ]);
  });

  test("with isSingle, only the first call", () => {
    const text = `Well. ${hermes("f", '{"a": 1}')} and ${hermes("f", "{}")} after`;
    for (const early of [false, true]) {
      const result = read(HERMES, [text], { early, isSingle: true });
      expect(result).toEqual({ text: "Well.", calls: [call("f", '{"a": 1}')] });
    }
  });

  test("ids are unique", () => {
    const ids: string[] = [];
    read(HERMES, [`${hermes("f", "{}")}${hermes("f", "{}")}`], {}, ids);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^call_[0-9a-f]{24}$/);
  });
});

describe("calls of Llama", () => {
  test.each<[string, string, Read["calls"], string]>([
    ["one", '{"name": "f", "parameters": {"a": 1}}', [call("f", '{"a": 1}')], ""],
    ["one with arguments", ' {"name": "f", "arguments": {}}', [call("f", "{}")], ""],
    ["with a type", '{"type": "function", "name": "f", "parameters": {}}', [call("f", "{}")], ""],
    [
      "several",
      '{"name": "f", "parameters": {}}; {"name": "look-up", "parameters": {"a": ";"}} ;{"name": "f"}',
      [call("f", "{}"), call("look-up", '{"a": ";"}'), call("f", "{}")],
      "",
    ],
    ["after the tag", '<|python_tag|>{"name": "f", "parameters": {}}', [call("f", "{}")], ""],
    ["after text and the tag", 'So: <|python_tag|>{"name": "f"}', [call("f", "{}")], "So:"],
    ["before text", '{"name": "f"}\nthat is it', [call("f", "{}")], "that is it"],
    [
      "before an object that is not a call",
      '{"name": "f"}; {"x": 1}',
      [call("f", "{}")],
      '; {"x": 1}',
    ],
  ])("%s", (_, text, calls, rest) => {
    expect(both(LLAMA, text)).toEqual({ calls, text: rest });
  });

  test.each([
    ["another object", '{"answer": 42, "name": "f"}'],
    ["an unknown function", ' {"name": "rm", "parameters": {}} '],
    ["a call after text", 'Call {"name": "f", "parameters": {}}'],
    ["code", '<|python_tag|>f.call(query="x")'],
    ["an object that is cut off", '{"name": "f", "parameters": '],
  ])("%s is text", (_, text) => {
    expect(both(LLAMA, text)).toEqual({ text, calls: [] });
  });

  test("an object becomes text as soon as it can't be a call", () => {
    const parser = new ToolParser({ format: LLAMA, names: NAMES, early: false, isSingle: false });
    expect(parser.push('{"answer": ').text).toBe("");
    expect(parser.push("4").text).toBe('{"answer": 4');
    expect(parser.push("2}").text).toBe("2}");
  });
});

describe("Python calls", () => {
  test.each<[string, string, Read["calls"]]>([
    ["one", '[f(a=1, b="x")]', [call("f", '{"a": 1, "b": "x"}')]],
    [
      "two",
      " [f(), get_weather(city='Łódź')]\n",
      [call("f", "{}"), call("get_weather", '{"city": "Łódź"}')],
    ],
    ["a name with a hyphen", "[look-up()]", [call("look-up", "{}")]],
    [
      "constants",
      "[f(a=True, b=False, c=None, d=true, e=null)]",
      [call("f", '{"a": true, "b": false, "c": null, "d": true, "e": null}')],
    ],
    [
      "numbers",
      "[f(a=-1, b=1.50, c=1e5, d=.5, e=1_000, f=12345678901234567890)]",
      [call("f", '{"a": -1, "b": 1.50, "c": 1e5, "d": 0.5, "e": 1000, "f": 12345678901234567890}')],
    ],
    [
      "lists",
      "[f(a=[1, (2, 3,), []], b={'k': {1: 'v'}})]",
      [call("f", '{"a": [1, [2, 3], []], "b": {"k": {"1": "v"}}}')],
    ],
    [
      "escapes",
      String.raw`[f(a='it\'s\n\x41\u00e9\U0001F600\d"')]`,
      [call("f", JSON.stringify("it's\nAé😀\\d\""))].map(({ name, arguments: text }) =>
        call(name, `{"a": ${text}}`),
      ),
    ],
    ["long strings", '[f(a="""x"y\n""", b=\'\')]', [call("f", '{"a": "x\\"y\\n", "b": ""}')]],
    ["brackets in strings", '[f(a="])", b="[f()]")]', [call("f", '{"a": "])", "b": "[f()]"}')]],
    ["spaces and a trailing comma", "[ f( a = 1 , ) , ]", [call("f", '{"a": 1}')]],
  ])("%s", (_, text, calls) => {
    expect(both(PYTHONIC, text)).toEqual({ text: "", calls });
    const marked = `So.\n<|tool_call_start|>${text.trim()}<|tool_call_end|>`;
    expect(both(LFM2, marked)).toEqual({ text: "So.", calls });
  });

  test.each([
    ["a list", "[1, 2]"],
    ["an empty list", "[]"],
    ["a link", "[f](x)"],
    ["an unknown function", "[f(), rm()]"],
    ["an argument without a name", "[f(1)]"],
    ["a duplicate argument", "[f(a=1, a=2)]"],
    ["an expression", "[f(a=1 + 2)]"],
    ["a call that is cut off", '[f(a="x'],
    ["a call after text", "so [f()]"],
    ["a broken escape", String.raw`[f(a="\u12x")]`],
  ])("%s is text", (_, text) => {
    expect(both(PYTHONIC, text)).toEqual({ text, calls: [] });
  });

  test("calls of LFM2 need tags, and text around them is kept", () => {
    expect(both(LFM2, "[f()]")).toEqual({ text: "[f()]", calls: [] });
    const text = "a <|tool_call_start|>[f()]<|tool_call_end|> b <|tool_call_start|>[f(]";
    expect(both(LFM2, text)).toEqual({
      text: "a" + "b <|tool_call_start|>[f(]",
      calls: [call("f", "{}")],
    });
  });

  test("a list becomes text as soon as it can't be calls", () => {
    const parser = new ToolParser({
      format: PYTHONIC,
      names: NAMES,
      early: false,
      isSingle: false,
    });
    expect(parser.push("[No").text).toBe("");
    expect(parser.push("te: ").text).toBe("[Note:");
  });
});

/** Texts that probably contain complete, malformed and partial calls. */
const fragments = fc.constantFrom(
  ...[
    "<tool_call>",
    "</tool_call>",
    "<tool",
    '{"name": "f", "arguments": ',
    '{"name": "rm", ',
    '"f"',
  ],
  ...[
    '{"a": 1}',
    '{"a": [1, "\\u00e9"]}',
    "}",
    "{",
    "[",
    "]",
    "[f(",
    "f(a=",
    "'x'",
    ")",
    ", ",
    ";",
    "\\",
    '"',
  ],
  ...[
    "\n",
    " ",
    "a",
    "Text. ",
    "<|python_tag|>",
    "<|tool_call_start|>",
    "<|tool_call_end|>",
    "🙂",
    "1e",
    "-",
  ],
  ...[hermes("f", '{"a": "<tool_call>"}'), '{"name": "f", "parameters": {"b": "}"}}', "[f(a=1)]"],
);
const texts = fc.array(fragments, { maxLength: 14 }).map((parts) => parts.join(""));

/** A text in pieces. */
const cut = texts.chain((text) =>
  fc.array(fc.nat(text.length), { maxLength: 12 }).map((cuts) => {
    const places = [0, ...cuts.sort((a, b) => a - b), text.length];
    return places.slice(1).map((to, i) => text.slice(places[i], to));
  }),
);

describe.each(Object.entries(FORMATS))("the format %s", (_, format) => {
  test.each([
    { early: false, isSingle: false },
    { early: true, isSingle: false },
    { early: false, isSingle: true },
    { early: true, isSingle: true },
  ])("gives the same result for any pieces: %o", (options) => {
    const check = (pieces: string[]) => {
      const whole = read(format, [pieces.join("")], options);
      expect(read(format, pieces, options)).toEqual(whole);
      expect(read(format, [...pieces.join("")], options)).toEqual(whole);
      if (options.early) return;
      for (const { arguments: json } of whole.calls) {
        expect(JSON.parse(json)).toBeTypeOf("object");
      }
    };
    fc.assert(fc.property(cut, check), { numRuns: 400 });
  });

  test("reads the calls that it writes", () => {
    const value = fc
      .jsonValue({ maxDepth: 3 })
      .map((json) => JSON.parse(JSON.stringify(json)) as unknown);
    const key = fc.stringMatching(/^[a-z_][a-z0-9_]*$/).filter((name) => name !== "__proto__");
    const written = fc.record({
      name: fc.constantFrom(...NAMES),
      arguments: fc.dictionary(key, value),
    });
    const check = (calls: { name: string; arguments: Record<string, unknown> }[]) => {
      const result = both(format, format.write(calls));
      expect(result.text).toBe("");
      const parsed = result.calls.map(({ name, arguments: json }) => ({
        name,
        arguments: JSON.parse(json) as unknown,
      }));
      expect(parsed).toEqual(calls.map((call) => ({ ...call, arguments: { ...call.arguments } })));
    };
    fc.assert(fc.property(fc.array(written, { minLength: 1, maxLength: 3 }), check), {
      numRuns: 200,
    });
  });
});
