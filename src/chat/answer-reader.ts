import { type ThinkingState, ThinkingParser, THINKING_TOKENS } from "./reasoning.ts";
import { type ToolParserOptions, ToolParser } from "./tool-parser.ts";
import type { ToolCallDelta } from "./tools.ts";

/** Which parts of an answer are separated from its text. */
export interface ReaderOptions {
  /** Undefined for a model without `<think>` blocks. */
  readonly thinking?: {
    /** The state at the beginning of the answer. */
    readonly state: ThinkingState;
    /** Whether reasoning is separated from the text, or stays in it with its tags. */
    readonly isSeparate: boolean;
  };
  /** Undefined: tool calls stay in the text. */
  readonly calls?: ToolParserOptions;
  /** Whether the answer continues the prompt's last text instead of beginning a new one. */
  readonly continuesPrompt?: boolean;
}

/** A piece of an answer, separated. Parts that the piece does not have are undefined. */
export interface AnswerPiece {
  readonly text: string;
  readonly reasoning?: string;
  readonly toolCalls?: readonly ToolCallDelta[];
}

/** Tokens that must not be skipped even where they are special: the reader looks for them. */
export function keptTokensOf({ thinking, calls }: ReaderOptions): readonly string[] {
  return [...(thinking ? THINKING_TOKENS : []), ...(calls?.format.tokens ?? [])];
}

/** Separates reasoning, text and tool calls in an answer that arrives in pieces. */
export class AnswerReader {
  readonly #thinking: ThinkingParser | undefined;
  readonly #isSeparate: boolean;
  readonly #calls: ToolParser | undefined;

  constructor({ thinking, calls }: ReaderOptions) {
    this.#isSeparate = thinking?.isSeparate ?? false;
    this.#thinking =
      thinking && new ThinkingParser(thinking.state, { keepsTags: !this.#isSeparate });
    this.#calls = calls && new ToolParser(calls);
  }

  /** Whether a `<think>` block is open. */
  get isThinking(): boolean {
    return this.#thinking?.isInside ?? false;
  }

  get hasCalls(): boolean {
    return (this.#calls?.count ?? 0) > 0;
  }

  /** Whether the answer is complete, so that the rest can be ignored. */
  get isDone(): boolean {
    return this.#calls?.isDone ?? false;
  }

  push(piece: string): AnswerPiece {
    const { reasoning, text } = this.#thinking?.push(piece) ?? { reasoning: "", text: piece };
    return this.#piece(reasoning, this.#calls?.push(text) ?? { text, calls: [] });
  }

  /** @returns the text that was held back; call it once the answer has ended */
  end(): AnswerPiece {
    const { reasoning, text } = this.#thinking?.end() ?? { reasoning: "", text: "" };
    const pushed = this.#calls?.push(text) ?? { text, calls: [] };
    const ended = this.#calls?.end() ?? { text: "", calls: [] };
    return this.#piece(reasoning, {
      text: pushed.text + ended.text,
      calls: [...pushed.calls, ...ended.calls],
    });
  }

  #piece(
    reasoning: string,
    { text, calls }: { text: string; calls: readonly ToolCallDelta[] },
  ): AnswerPiece {
    if (!this.#isSeparate) return answerPiece(reasoning + text, "", calls);
    return answerPiece(text, reasoning, calls);
  }
}

/** Joins two successive pieces. */
export function joinPieces(first: AnswerPiece, second: AnswerPiece): AnswerPiece {
  return answerPiece(first.text + second.text, (first.reasoning ?? "") + (second.reasoning ?? ""), [
    ...(first.toolCalls ?? []),
    ...(second.toolCalls ?? []),
  ]);
}

function answerPiece(
  text: string,
  reasoning: string,
  toolCalls: readonly ToolCallDelta[],
): AnswerPiece {
  return {
    text,
    ...(reasoning !== "" && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}
