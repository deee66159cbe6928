import { type ThinkingState, ThinkingParser, THINKING_TOKENS } from "./reasoning.ts";
import { type ToolParserOptions, ToolParser } from "./tool-parser.ts";
import type { ToolCallDelta } from "./tools.ts";

/** What is told apart in an answer. */
export interface ReaderOptions {
  /** None: the model has no spans of reasoning. */
  readonly thinking?: {
    /** Where the answer begins. */
    readonly state: ThinkingState;
    /** Whether the span is told apart, or is text like the rest. */
    readonly isSeparate: boolean;
  };
  /** None: calls are text. */
  readonly calls?: ToolParserOptions;
  /** The answer goes on the prompt's last text, rather than begins one. */
  readonly continuesPrompt?: boolean;
}

/** What a piece of an answer brought; what is not there was not in it. */
export interface AnswerPiece {
  readonly text: string;
  readonly reasoning?: string;
  readonly toolCalls?: readonly ToolCallDelta[];
}

/** The tokens that the reading needs to see, special or not. */
export function keptTokensOf({ thinking, calls }: ReaderOptions): readonly string[] {
  return [...(thinking ? THINKING_TOKENS : []), ...(calls?.format.tokens ?? [])];
}

/** Tells an answer's reasoning, its text and its calls of tools apart, as it comes. */
export class AnswerReader {
  readonly #thinking: ThinkingParser | undefined;
  readonly #isSeparate: boolean;
  readonly #calls: ToolParser | undefined;

  constructor({ thinking, calls }: ReaderOptions) {
    this.#isSeparate = thinking?.isSeparate ?? false;
    this.#thinking =
      thinking && new ThinkingParser(thinking.state, { keepsMarks: !this.#isSeparate });
    this.#calls = calls && new ToolParser(calls);
  }

  /** Whether a span of reasoning is open. */
  get isThinking(): boolean {
    return this.#thinking?.isInside ?? false;
  }

  get hasCalls(): boolean {
    return (this.#calls?.count ?? 0) > 0;
  }

  /** Whether nothing that follows counts. */
  get isDone(): boolean {
    return this.#calls?.isDone ?? false;
  }

  push(piece: string): AnswerPiece {
    const { reasoning, text } = this.#thinking?.push(piece) ?? { reasoning: "", text: piece };
    return this.#piece(reasoning, this.#calls?.push(text) ?? { text, calls: [] });
  }

  /** What was held back, when no more text comes. */
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

/** Two pieces as one. */
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
