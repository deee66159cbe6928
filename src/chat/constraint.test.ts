import { describe, expect, test } from "vitest";
import { scriptedModel } from "../../tests/chat-support.ts";
import { ConstrainedGenerator } from "../../tests/constrained-generator.ts";
import type { AnswerOptions } from "./answer-types.ts";
import { complete } from "./complete.ts";
import { type AnswerStop, compileFormat, formatConstraint } from "./constraint.ts";
import type { AnswerFormat } from "./format.ts";
import { RequestError } from "./request-error.ts";

const V = 1024;
const EOS = 1023;
const { grammars, tokenizer } = scriptedModel(new ConstrainedGenerator(V));

const idsOf = (text: string): number[] => tokenizer.encode(text, { addSpecialTokens: false });
const [LETTER_A] = idsOf("a") as [number];

const AS: AnswerFormat = { type: "regex", pattern: "a{1,3}" };
const END: AnswerStop = { stopTokenIds: [EOS], lastResortIds: [], minTokens: 0 };

/** Which of `ids` are allowed after others. */
async function among(
  ids: readonly number[],
  sampled: readonly number[],
  end: Partial<AnswerStop>,
  format = AS,
): Promise<number[]> {
  const constraint = formatConstraint(await compileFormat(grammars, format), { ...END, ...end });
  for (const id of sampled) constraint.accept(id);
  const words = new Uint32Array(V / 32);
  expect(await constraint.mask(words)).toBe(true);
  return ids.filter((id) => ((words[id >>> 5] as number) >>> (id & 31)) & 1);
}

describe("an answer with a format ends", () => {
  const both = [LETTER_A, EOS];

  test("only where it matches", async () => {
    expect(await among(both, [], {})).toEqual([LETTER_A]);
    expect(await among(both, [LETTER_A], {})).toEqual(both);
    expect(await among(both, [LETTER_A, LETTER_A, LETTER_A], {})).toEqual([EOS]);
  });

  test("at any of its stop tokens", async () => {
    const stopTokenIds = [EOS, 2, 7];
    expect(await among(stopTokenIds, [LETTER_A], { stopTokenIds })).toEqual(stopTokenIds);
  });

  test("not at a stop token that the format allows as text", async () => {
    const [b] = idsOf("b") as [number];
    const format: AnswerFormat = { type: "regex", pattern: "[ab]{2}" };
    const end = { stopTokenIds: [EOS, b] };
    expect(await among([LETTER_A, b, EOS], [LETTER_A], end, format)).toEqual([LETTER_A]);
    expect(await among([b, EOS], [LETTER_A, LETTER_A], end, format)).toEqual([b, EOS]);
  });

  test("after min_tokens, unless nothing else may follow", async () => {
    expect(await among(both, [LETTER_A], { minTokens: 2 })).toEqual([LETTER_A]);
    expect(await among(both, [LETTER_A, LETTER_A], { minTokens: 2 })).toEqual(both);
    expect(await among(both, [LETTER_A, LETTER_A, LETTER_A], { minTokens: 9 })).toEqual([EOS]);
  });

  test("at a last-resort token only if nothing else may follow", async () => {
    const end = { stopTokenIds: [EOS, 2], lastResortIds: [EOS] };
    expect(await among([LETTER_A, 2, EOS], [LETTER_A], end)).toEqual([LETTER_A, 2]);
    expect(await among([2, EOS], [LETTER_A, LETTER_A, LETTER_A], end)).toEqual([2, EOS]);
  });

  test("where the vocabulary can't spell what must follow", async () => {
    const end = { stopTokenIds: [LETTER_A, EOS] };
    expect(await among([LETTER_A, EOS], [], end)).toEqual([LETTER_A, EOS]);
  });
});

test.each<[AnswerFormat, string, string]>([
  [{ type: "regex", pattern: "(" }, "format", "the expression ( is invalid"],
  [{ type: "ebnf", grammar: "root ::= x", subject: "format" }, "format", "there is no rule 'x'"],
  [
    { type: "json_schema", schema: { not: { type: "null" } }, subject: "tools" },
    "tools",
    "'not' at the top is not supported",
  ],
])("%o is refused", async (format, subject, why) => {
  const run = () => compileFormat(grammars, format);
  await expect(run).rejects.toThrow(RequestError);
  await expect(run).rejects.toThrow(expect.objectContaining({ code: "invalid_value", subject }));
  await expect(run).rejects.toThrow(why);
});

describe("an answer with a format", () => {
  const run = async (script: string, options: AnswerOptions) => {
    const generator = new ConstrainedGenerator(V, idsOf(script));
    const { deltas } = await complete(scriptedModel(generator), "Hi", options);
    const texts: string[] = [];
    let reason: unknown;
    for await (const { choice, text, finish } of deltas) {
      texts[choice] = (texts[choice] ?? "") + text;
      reason = finish;
    }
    return { texts, reason, inputs: generator.inputs };
  };

  test("matches, whatever the model prefers", async () => {
    const format: AnswerFormat = { type: "json_schema", schema: { const: { yes: true } } };
    const { texts, reason } = await run("No, it is not.", { format });
    expect(texts).toEqual(['{"yes":true}']);
    expect(reason).toEqual({ reason: "stop", matched: EOS });
  });

  test("may reach the length limit", async () => {
    const format: AnswerFormat = { type: "json_schema", schema: { const: "a long text" } };
    const { texts, reason } = await run('"a long text"', { format, maxTokens: 3 });
    expect('"a long text"'.startsWith(texts[0] as string)).toBe(true);
    expect(reason).toEqual({ reason: "length", matched: null });
  });

  test("has a separate constraint for each choice", async () => {
    const { texts, inputs } = await run("aa", { format: AS, choices: 3 });
    expect(texts).toEqual(["aa", "aa", "aa"]);
    expect(new Set(inputs.map(({ constraint }) => constraint)).size).toBe(3);
  });

  test("ends despite ignoreEos", async () => {
    const { texts, inputs } = await run("a", { format: AS, ignoreEos: true });
    expect(texts).toEqual(["aaa"]);
    expect(inputs[0]?.stopTokenIds).toContain(EOS);
    const asked = await run("a", { format: AS, ignoreEos: true, stopTokenIds: [EOS] });
    expect(asked.texts).toEqual(["a"]);
  });

  test("respects min_tokens as far as the format allows", async () => {
    const { texts, inputs } = await run("a", { format: AS, minTokens: 2 });
    expect(texts).toEqual(["aa"]);
    expect(inputs[0]?.minTokens).toBe(0);
  });

  test("does not begin if the format can't be enforced", async () => {
    const generator = new ConstrainedGenerator(V);
    const model = scriptedModel(generator);
    const options: AnswerOptions = { format: { type: "regex", pattern: "a\\b" } };
    await expect(complete(model, "Hi", options)).rejects.toThrow(RequestError);
    expect(generator.inputs).toEqual([]);
  });
});
