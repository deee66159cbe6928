import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ScriptedGenerator } from "../../tests/chat-support.ts";
import { toolModel } from "../../tests/tool-templates.ts";
import type { TokenConstraint } from "../engine/generation.ts";
import type { ChatModel } from "./model.ts";
import {
  type ThinkingState,
  ThinkingParser,
  constrainAfterThinking,
  supportsThinking,
  thinkingState,
} from "./reasoning.ts";

function read(state: ThinkingState, pieces: readonly string[], keepsTags = false) {
  const parser = new ThinkingParser(state, { keepsTags });
  const result = [...pieces.map((piece) => parser.push(piece)), parser.end()];
  return {
    reasoning: result.map(({ reasoning }) => reasoning).join(""),
    text: result.map(({ text }) => text).join(""),
  };
}

describe("reasoning", () => {
  test.each<[string, ThinkingState, string, string, string]>([
    ["before the text", "start", "<think>\nA  b\n</think>\n\nYes ", "A  b", "Yes "],
    ["after spaces", "start", " \n<think>A</think>B", "A", "B"],
    ["that the prompt began", "inside", "\nA\n\n</think>\n\nB", "A", "B"],
    ["that the prompt ended", "outside", "<think>A</think>B", "", "<think>A</think>B"],
    ["that is empty", "start", "<think>\n\n</think>\n\nB", "", "B"],
    ["that is cut off", "start", "<think>\nA <b", "A <b", ""],
    ["that is cut off within its end tag", "inside", "A </thi", "A </thi", ""],
    ["without text after it", "start", "<think>A</think>\n", "A", ""],
    ["not at the start is text", "start", " B <think>A</think>", "", " B <think>A</think>"],
    ["not beyond a part of its tag is text", "start", " <thin", "", " <thin"],
    ["only once", "start", "<think>A</think>B<think>C</think>", "A", "B<think>C</think>"],
  ])("%s", (_, state, text, reasoning, rest) => {
    expect(read(state, [text])).toEqual({ reasoning, text: rest });
    const kept = read(state, [text], true);
    expect(kept.reasoning + kept.text).toBe(text);
  });

  const fragments = fc.constantFrom(
    "<think>",
    "</think>",
    "<",
    "think>",
    "</th",
    " ",
    "\n",
    "a",
    "B c",
  );
  test("does not depend on the pieces", () => {
    const property = fc.property(
      fc.array(fragments, { maxLength: 10 }),
      fc.constantFrom<ThinkingState>("start", "inside", "outside"),
      fc.boolean(),
      (pieces, state, keepsTags) => {
        const whole = read(state, [pieces.join("")], keepsTags);
        expect(read(state, pieces, keepsTags)).toEqual(whole);
        expect(read(state, [...pieces.join("")], keepsTags)).toEqual(whole);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });
});

test("the state at the beginning of an answer", () => {
  expect(thinkingState("<|im_start|>assistant\n")).toBe("start");
  expect(thinkingState("<|im_start|>assistant\n<think>\n")).toBe("inside");
  expect(thinkingState("<|im_start|>assistant\n<think>\n\n</think>\n\n")).toBe("outside");
  expect(thinkingState("<|im_start|>assistant\n<think>\nSo", "<think>\nSo")).toBe("inside");
  expect(thinkingState("<think>a</think>So", "<think>a</think>So")).toBe("outside");
  expect(thinkingState("<|im_start|>assistant\nSo", "So")).toBe("outside");
});

describe("a constraint after the reasoning", () => {
  const marks = ["<think>", "</think>"].map((content) => ({ content, special: false }));
  const { tokenizer } = toolModel(new ScriptedGenerator(), undefined, marks);
  const [begin, end] = ["<think>", "</think>"].map((mark) => tokenizer.id(mark)) as [
    number,
    number,
  ];
  const [some] = tokenizer.encode("A", { addSpecialTokens: false }) as [number];

  /** Allows only token 1, and records what it accepts. */
  function only(accepted: number[]): TokenConstraint {
    return {
      mask(words) {
        words[0] = 2;
        return true;
      },
      accept: (token) => void accepted.push(token),
    };
  }

  /** The allowed tokens, or "all". */
  async function allowed(constraint: TokenConstraint): Promise<number[] | "all"> {
    const words = new Uint32Array(33);
    if (!(await constraint.mask(words))) return "all";
    return [...words].flatMap((word, i) =>
      Array.from({ length: 32 }, (_, bit) => bit)
        .filter((bit) => (word >>> bit) & 1)
        .map((bit) => 32 * i + bit),
    );
  }

  test("allows all tokens within the block", async () => {
    const accepted: number[] = [];
    const constraint = constrainAfterThinking(only(accepted), tokenizer, "inside");
    for (const token of [some, begin, end]) {
      expect(await allowed(constraint)).toBe("all");
      constraint.accept(token);
    }
    for (const token of [1, end, 1]) {
      expect(await allowed(constraint)).toEqual([1]);
      constraint.accept(token);
    }
    expect(accepted).toEqual([1, end, 1]);
  });

  test("allows no stop token within the block", async () => {
    const constraint = constrainAfterThinking(only([]), tokenizer, "inside", [some, 64]);
    const inside = await allowed(constraint);
    expect(inside).toHaveLength(33 * 32 - 2);
    for (const token of [some, 64]) expect(inside).not.toContain(token);
    constraint.accept(end);
    expect(await allowed(constraint)).toEqual([1]);
  });

  test("allows one block to begin", async () => {
    const accepted: number[] = [];
    const thought = constrainAfterThinking(only(accepted), tokenizer, "start");
    expect(await allowed(thought)).toEqual([1, begin]);
    thought.accept(begin);
    expect(await allowed(thought)).toBe("all");
    thought.accept(some);
    thought.accept(end);
    expect(await allowed(thought)).toEqual([1]);

    const straight = constrainAfterThinking(only(accepted), tokenizer, "start");
    expect(await allowed(straight)).toEqual([1, begin]);
    straight.accept(1);
    expect(await allowed(straight)).toEqual([1]);
    expect(accepted).toEqual([1]);
  });

  test("recognizes tags of several tokens, and allows no block to begin", async () => {
    const { tokenizer } = toolModel(new ScriptedGenerator());
    const ids = tokenizer.encode("Hm</think>", { addSpecialTokens: false });
    expect(ids.length).toBeGreaterThan(3);
    const constraint = constrainAfterThinking(only([]), tokenizer, "inside");
    for (const id of ids) {
      expect(await allowed(constraint)).toBe("all");
      constraint.accept(id);
    }
    expect(await allowed(constraint)).toEqual([1]);
    expect(await allowed(constrainAfterThinking(only([]), tokenizer, "start"))).toEqual([1]);
  });
});

test("models that support thinking", () => {
  const marks = [{ content: "<think>", special: true }];
  const generator = new ScriptedGenerator();
  const knows = ({ template, tokenizer }: ChatModel) =>
    supportsThinking(template.source, tokenizer);
  expect(knows(toolModel(generator))).toBe(false);
  expect(knows(toolModel(generator, undefined, marks))).toBe(true);
  expect(knows(toolModel(generator, "qwen"))).toBe(true);
});
