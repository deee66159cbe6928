import type { TokenConstraint } from "../engine/generation.ts";
import { allow, forbid } from "../engine/mask-bits.ts";
import type { Detokenizer } from "../text/detokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { partialMatchStart } from "./partial-match.ts";

const BEGIN = "<think>";
const END = "</think>";

/** What reasoning stands between, which a tokenizer may have as special tokens. */
export const THINKING_TOKENS: readonly string[] = [BEGIN, END];

/** Where an answer is: at its beginning, where a span of reasoning may open, in it or past it. */
export type ThinkingState = "start" | "inside" | "outside";

/** Whether a model may reason in a span of its own, as far as its files tell. */
export function supportsThinking(templateSource: string, tokenizer: Tokenizer): boolean {
  return templateSource.includes(BEGIN) || tokenizer.id(BEGIN) !== undefined;
}

/**
 * Where the answer to a prompt begins: templates may open the span, or close an empty one.
 *
 * @param continued the text that the answer goes on with, if any
 */
export function thinkingState(prompt: string, continued = ""): ThinkingState {
  if (continued !== "") {
    return continued.lastIndexOf(BEGIN) > continued.lastIndexOf(END) ? "inside" : "outside";
  }
  if (/<think>\s*$/.test(prompt)) return "inside";
  return /<\/think>\s*$/.test(prompt) ? "outside" : "start";
}

/** What a piece of an answer comes to. */
export interface ParsedReasoning {
  readonly reasoning: string;
  /** Text that is not of the span. */
  readonly text: string;
}

/**
 * Tells the reasoning that an answer begins with, from `<think>` to `</think>`, from the rest of it,
 * whatever the pieces are in which it comes. The marks, and the spaces inside and behind them, belong
 * to neither.
 */
export class ThinkingParser {
  readonly #keepsMarks: boolean;
  #state: ThinkingState | "behind";
  #held = "";
  #hasReasoned = false;

  /** @param options `keepsMarks`: marks and spaces are part of the reasoning */
  constructor(state: ThinkingState, options: { keepsMarks?: boolean } = {}) {
    this.#state = state;
    this.#keepsMarks = options.keepsMarks ?? false;
  }

  get isInside(): boolean {
    return this.#state === "inside";
  }

  push(text: string): ParsedReasoning {
    this.#held += text;
    let reasoning = this.#state === "start" ? this.#begin() : "";
    if (this.#state === "inside") reasoning += this.#think();
    if (this.#state === "behind") {
      this.#held = this.#held.trimStart();
      if (this.#held !== "") this.#state = "outside";
    }
    return { reasoning, text: this.#state === "outside" ? this.#take() : "" };
  }

  /** What was held back, when no more text comes. */
  end(): ParsedReasoning {
    const rest = this.#take();
    return this.isInside ? { reasoning: rest, text: "" } : { reasoning: "", text: rest };
  }

  #begin(): string {
    const start = this.#held.trimStart();
    if (start.startsWith(BEGIN)) {
      this.#state = "inside";
      const mark = this.#take(this.#held.length - start.length + BEGIN.length);
      return this.#keepsMarks ? mark : "";
    }
    if (!BEGIN.startsWith(start)) this.#state = "outside";
    return "";
  }

  #think(): string {
    if (!this.#keepsMarks && !this.#hasReasoned) this.#held = this.#held.trimStart();
    const end = this.#held.indexOf(END);
    const certain = end < 0 ? partialMatchStart(this.#held, [END]) : end;
    const text = this.#held.slice(0, certain);
    const kept = this.#keepsMarks ? text : text.trimEnd();
    this.#hasReasoned ||= kept !== "";
    if (end < 0) return this.#take(kept.length);
    const mark = this.#take(end + END.length).slice(end);
    this.#state = this.#keepsMarks ? "outside" : "behind";
    return this.#keepsMarks ? kept + mark : kept;
  }

  #take(length = this.#held.length): string {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }
}

/**
 * A constraint on what comes behind the reasoning, which itself is free. Where the span may open but
 * has not, its first token may be drawn beside what the constraint allows.
 *
 * @param stopTokenIds what would end the answer, which the reasoning may not
 */
export function constrainAfterThinking(
  constraint: TokenConstraint,
  tokenizer: Tokenizer,
  state: "start" | "inside",
  stopTokenIds: readonly number[] = [],
): TokenConstraint {
  const begin = tokenizer.id(BEGIN);
  const parser = new ThinkingParser(state);
  const detokenizer: Detokenizer = tokenizer.detokenizer({ skipSpecialTokens: false });
  let isOver = state === "start" && begin === undefined;
  let isFirst = state === "start";
  return {
    async mask(words) {
      if (!isOver && !isFirst) {
        words.fill(0xffffffff);
        for (const id of stopTokenIds) forbid(words, id);
        return stopTokenIds.length > 0;
      }
      const isMasked = await constraint.mask(words);
      if (!isOver && begin !== undefined) allow(words, begin);
      return isMasked;
    },
    accept(token) {
      if (isOver || (isFirst && token !== begin)) {
        isOver = true;
        constraint.accept(token);
        return;
      }
      isFirst = false;
      parser.push(detokenizer.push(token));
      isOver = !parser.isInside;
    },
  };
}
