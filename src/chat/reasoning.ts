import type { TokenConstraint } from "../engine/generation.ts";
import { allow, forbid } from "../engine/mask-bits.ts";
import type { Detokenizer } from "../text/detokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { partialMatchStart } from "./partial-match.ts";

const BEGIN = "<think>";
const END = "</think>";

/** The tags around reasoning. A tokenizer may have them as special tokens. */
export const THINKING_TOKENS: readonly string[] = [BEGIN, END];

/** A position in an answer: at its start, where a `<think>` block may open, inside it, or outside. */
export type ThinkingState = "start" | "inside" | "outside";

/** Whether a model writes `<think>` blocks, judging by its template and tokenizer. */
export function supportsThinking(templateSource: string, tokenizer: Tokenizer): boolean {
  return templateSource.includes(BEGIN) || tokenizer.id(BEGIN) !== undefined;
}

/**
 * The state at the beginning of an answer. The template may have opened a `<think>` block, or written
 * an empty one.
 *
 * @param continued the text that the answer continues, if any
 */
export function thinkingState(prompt: string, continued = ""): ThinkingState {
  if (continued !== "") {
    return continued.lastIndexOf(BEGIN) > continued.lastIndexOf(END) ? "inside" : "outside";
  }
  if (/<think>\s*$/.test(prompt)) return "inside";
  return /<\/think>\s*$/.test(prompt) ? "outside" : "start";
}

/** A piece of an answer, separated. */
export interface ParsedReasoning {
  readonly reasoning: string;
  /** Text outside of the `<think>` block. */
  readonly text: string;
}

/**
 * Separates the `<think>` block at the beginning of an answer from the text after it. The result does
 * not depend on how the answer is cut into pieces. The tags belong to neither part, nor do the spaces
 * at both ends of the block and after it.
 */
export class ThinkingParser {
  readonly #keepsTags: boolean;
  #state: ThinkingState | "after";
  #held = "";
  #hasReasoned = false;

  /** @param options `keepsTags`: tags and spaces are part of the reasoning */
  constructor(state: ThinkingState, options: { keepsTags?: boolean } = {}) {
    this.#state = state;
    this.#keepsTags = options.keepsTags ?? false;
  }

  get isInside(): boolean {
    return this.#state === "inside";
  }

  push(text: string): ParsedReasoning {
    this.#held += text;
    let reasoning = this.#state === "start" ? this.#begin() : "";
    if (this.#state === "inside") reasoning += this.#think();
    if (this.#state === "after") {
      this.#held = this.#held.trimStart();
      if (this.#held !== "") this.#state = "outside";
    }
    return { reasoning, text: this.#state === "outside" ? this.#take() : "" };
  }

  /** @returns the text that was held back; call it once the answer has ended */
  end(): ParsedReasoning {
    const rest = this.#take();
    return this.isInside ? { reasoning: rest, text: "" } : { reasoning: "", text: rest };
  }

  #begin(): string {
    const start = this.#held.trimStart();
    if (start.startsWith(BEGIN)) {
      this.#state = "inside";
      const tag = this.#take(this.#held.length - start.length + BEGIN.length);
      return this.#keepsTags ? tag : "";
    }
    if (!BEGIN.startsWith(start)) this.#state = "outside";
    return "";
  }

  #think(): string {
    if (!this.#keepsTags && !this.#hasReasoned) this.#held = this.#held.trimStart();
    const end = this.#held.indexOf(END);
    const certain = end < 0 ? partialMatchStart(this.#held, [END]) : end;
    const text = this.#held.slice(0, certain);
    const kept = this.#keepsTags ? text : text.trimEnd();
    this.#hasReasoned ||= kept !== "";
    if (end < 0) return this.#take(kept.length);
    const tag = this.#take(end + END.length).slice(end);
    this.#state = this.#keepsTags ? "outside" : "after";
    return this.#keepsTags ? kept + tag : kept;
  }

  #take(length = this.#held.length): string {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }
}

/**
 * Applies a constraint to the text after the `<think>` block only. At the start of an answer, the
 * token `<think>` is allowed in addition to the tokens that the constraint allows.
 *
 * @param stopTokenIds tokens that the reasoning must not contain, since they would end the answer
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
