import { describe, expect, test } from "vitest";
import { JinjaTemplate } from "./interpreter.ts";

const render = (source: string) => new JinjaTemplate(source).render({});

describe("a hostile template ends with an error", () => {
  test.each([
    ["a large range", "{% for i in range(300000000) %}x{% endfor %}", "larger than"],
    ["a large repetition", "{{ 'a' * 10 ** 9 }}", "larger than"],
    ["a large power", "{{ 10 ** (10 ** 9) }}", "larger than"],
    [
      "a text that doubles",
      "{% set n = namespace(a='aa') %}{% for i in range(99) %}{% set n.a = n.a + n.a %}{% endfor %}",
      "larger than",
    ],
    [
      "nested loops",
      "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
      "steps",
    ],
    ["endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested calls"],
    ["deep parentheses", `{{ ${"(".repeat(10000)}1${")".repeat(10000)} }}`, "deeper than"],
    ["deep lists", `{{ ${"[".repeat(10000)}${"]".repeat(10000)} }}`, "deeper than"],
    ["many signs", `{{ ${"-".repeat(10000)}1 }}`, "deeper than"],
    ["deep negation", `{{ ${"not ".repeat(10000)}1 }}`, "deeper than"],
    ["deep tags", "{% if 1 %}".repeat(10000), "deeper than"],
    ["deep branches", `{% if 1 %}${"{% elif 1 %}".repeat(10000)}{% endif %}`, "deeper than"],
  ])("%s", (_, source, message) => {
    expect(() => render(source)).toThrow(message);
  });
});

describe("an error names the line and the construct", () => {
  test.each([
    ["a\nb\n{{ x.y }}", "line 3: 'x' is undefined"],
    ["{% if 1 %}\n{{ 1 | nothing }}\n{% endif %}", "line 2: No filter named 'nothing'."],
    ["\n{% nothing %}", "line 2: unknown tag 'nothing'"],
    ["{% for v in [1] %}\n\n{{ v.a.b }}{% endfor %}", "line 3: 'int object' has no attribute 'a'"],
    ["{# a\n#}\n{{ 1 + }}", "line 3: expected an expression, found '}}'"],
    ["{% include 'x' %}", "line 1: 'include' needs other templates"],
    ["{% if 1 %}\n{% if 2 %}\n{% endif %}", "line 1: 'if' has no 'endif'"],
  ])("%j", (source, message) => {
    expect(() => render(source)).toThrow(message);
  });
});
