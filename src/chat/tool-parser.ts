import { partialMatchStart } from "./partial-match.ts";
import type {
  CallPiece,
  CallReader,
  CallReaderOptions,
  CallReaderResult,
  ToolFormat,
} from "./tool-format.ts";
import type { ToolCallDelta } from "./tools.ts";

/** What a piece of an answer comes to. */
export interface ParsedText {
  /** Text that is not of calls. */
  readonly text: string;
  readonly calls: readonly ToolCallDelta[];
}

export interface ToolParserOptions extends CallReaderOptions {
  readonly format: ToolFormat;
  /** Nothing counts behind the first call. */
  readonly isSingle: boolean;
}

/**
 * Tells calls of tools from the text around them, in an answer that comes in pieces. Whatever the
 * pieces are, the text and the calls are the same. Spaces around calls belong to neither; what only
 * begins like a call, or calls a tool that there is not, is text.
 */
export class ToolParser {
  readonly #options: ToolParserOptions;
  /** What came and is neither text nor of a call yet. */
  #held = "";
  #reader: CallReader | undefined;
  /** The mark that calls are read behind, as long as there are none. */
  #mark = "";
  /** Whether nothing but spaces came yet. */
  #isStart = true;
  /** Spaces that are text only if text follows. */
  #spaces = "";
  /** Whether a call was the last that came. */
  #isBehindCall = false;
  #text = "";
  #calls: ToolCallDelta[] = [];
  #count = 0;
  #isDone = false;

  constructor(options: ToolParserOptions) {
    this.#options = options;
  }

  /** How many calls have begun. */
  get count(): number {
    return this.#count;
  }

  /** Whether the only call that counts is whole. */
  get isDone(): boolean {
    return this.#isDone;
  }

  push(text: string): ParsedText {
    this.#read(text);
    return this.#take();
  }

  /** What was held back, when no more text comes. */
  end(): ParsedText {
    // What is behind a mark that began no call may have calls in it.
    while (this.#reader && !this.#isDone) this.#read(this.#goOn(this.#reader.end()));
    this.#addText(this.#held);
    this.#text += this.#spaces;
    this.#held = this.#spaces = "";
    return this.#take();
  }

  #take(): ParsedText {
    const parsed = { text: this.#text, calls: this.#calls };
    this.#text = "";
    this.#calls = [];
    return parsed;
  }

  #read(text: string | undefined): void {
    let rest = text;
    while (rest !== undefined && !this.#isDone) {
      rest = this.#reader ? this.#goOn(this.#reader.push(rest)) : this.#readText(rest);
    }
  }

  /** @returns what calls are to be read from */
  #readText(text: string): string | undefined {
    this.#held += text;
    const { mark, opening } = this.#options.format;
    if (this.#isStart && opening !== undefined) {
      const start = this.#held.search(/\S/);
      if (start < 0) return undefined;
      if (this.#held.startsWith(opening, start)) return this.#begin(start, "");
    }
    const at = mark === undefined ? -1 : this.#held.indexOf(mark);
    if (mark !== undefined && at >= 0) return this.#begin(at, mark);
    const certain = partialMatchStart(this.#held, mark === undefined ? [] : [mark]);
    this.#addText(this.#held.slice(0, certain));
    this.#held = this.#held.slice(certain);
    return undefined;
  }

  #begin(at: number, mark: string): string {
    const rest = this.#held.slice(at + mark.length);
    this.#addText(this.#held.slice(0, at));
    this.#held = "";
    this.#mark = mark;
    this.#isStart = false;
    this.#reader = this.#options.format.calls(this.#options);
    return rest;
  }

  /** @returns where the calls have ended, what is behind them */
  #goOn({ pieces, rest }: CallReaderResult): string | undefined {
    for (const piece of pieces) {
      this.#addPiece(piece);
      if (this.#isDone) return undefined;
    }
    if (rest === undefined) return undefined;
    this.#reader = undefined;
    this.#addText(this.#mark);
    return rest;
  }

  #addPiece(piece: CallPiece): void {
    if ("name" in piece) {
      const id = `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
      this.#calls.push({ index: this.#count++, id, name: piece.name, arguments: "" });
      this.#spaces = this.#mark = "";
      this.#isBehindCall = true;
    } else if ("arguments" in piece) {
      this.#calls.push({ index: this.#count - 1, arguments: piece.arguments });
    } else {
      this.#isDone = this.#options.isSingle;
    }
  }

  #addText(text: string): void {
    const all = this.#isBehindCall ? text.trimStart() : this.#spaces + text;
    if (all === "") return;
    const kept = all.trimEnd();
    this.#text += kept;
    this.#spaces = all.slice(kept.length);
    this.#isStart &&= kept === "";
    this.#isBehindCall = false;
  }
}
