import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonObject } from "./json-object.ts";

describe("a JSON object", () => {
  test("is complete at its last brace, in any pieces", () => {
    const json = fc.dictionary(fc.string(), fc.jsonValue());
    const check = (value: object, indent: number, after: string) => {
      const text = JSON.stringify(value, undefined, indent);
      const object = new JsonObject();
      for (const character of text.slice(0, -1)) expect(object.push(character)).toBe(1);
      expect(object.state).toBe("open");
      expect(object.push(`}${after}`)).toBe(1);
      expect(object).toMatchObject({ state: "complete", text });
      const whole = new JsonObject();
      expect(whole.push(text + after)).toBe(text.length);
      expect(whole.members).toEqual(object.members);
      const members = [...object.members].map(([key, { from, to }]) => [
        key,
        JSON.parse(text.slice(from, to)) as unknown,
      ]);
      expect(new Map(members as [string, unknown][])).toEqual(
        new Map(Object.entries(JSON.parse(text) as object)),
      );
    };
    fc.assert(fc.property(json, fc.constantFrom(0, 2), fc.string(), check), { numRuns: 300 });
  });

  test("is accepted if JSON.parse accepts it, except for duplicate keys", () => {
    const pieces = fc.constantFrom(
      ...[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        '"a"',
        '"b":',
        "1",
        "-",
        "0",
        ".5",
        "e+1",
        "true",
        "null",
      ],
      ...["nul", " ", "\n", "\\", "\\u00e9", "\\x", "\u0001", "é"],
    );
    const texts = fc.array(pieces, { maxLength: 9 }).map((parts) => `{"a":${parts.join("")}}`);
    const check = (text: string) => {
      let parsed: unknown;
      try {
        parsed = JSON.parse(text);
      } catch {
        parsed = undefined;
      }
      const object = new JsonObject();
      const isAll = object.push(text) === text.length && object.state === "complete";
      const keys = [...text.matchAll(/"(a|b)"\s*:/g)].map(([, key]) => key);
      if (new Set(keys).size === keys.length) expect(isAll).toBe(parsed !== undefined);
      else if (parsed === undefined) expect(isAll).toBe(false);
    };
    fc.assert(fc.property(texts, check), { numRuns: 3000 });
  });

  test.each([
    [" {}", 0],
    ["[]", 0],
    ['{"a": 01}', 7],
    ['{"a": 1, }', 9],
    ['{"a": 1, "a": 2}', 14],
    ['{"a": tru }', 9],
    ['{"a": "\n"}', 7],
    ['{"a" 1}', 5],
  ])("%s breaks at %i", (text, at) => {
    const object = new JsonObject();
    expect(object.push(text)).toBe(at);
    expect(object.state).toBe("broken");
    expect(object.push("}")).toBe(0);
  });
});
