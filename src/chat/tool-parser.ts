import { partialMatchStart } from "./partial-match.ts";
import type {
  CallPiece,
  CallReader,
  CallReaderOptions,
  CallReaderResult,
  ToolFormat,
} from "./tool-format.ts";
import type { ToolCallDelta } from "./tools.ts";

/** A piece of an answer, separated. */
export interface ParsedText {
  /** Text outside of calls. */
  readonly text: string;
  readonly calls: readonly ToolCallDelta[];
}

export interface ToolParserOptions extends CallReaderOptions {
  readonly format: ToolFormat;
  /** Ignore everything after the first call. */
  readonly isSingle: boolean;
}

/**
 * Separates tool calls from the text around them, in an answer that arrives in pieces. The result
 * does not depend on how the answer is cut into pieces. Spaces around calls are dropped. A call that
 * is malformed, or that names an unknown tool, is text.
 */
export class ToolParser {
  readonly #options: ToolParserOptions;
  /** Text that may still become the beginning of a call. */
  #held = "";
  #reader: CallReader | undefined;
  /** The mark before the current calls, until the first call is certain. */
  #mark = "";
  /** Whether the answer has only had spaces so far. */
  #isStart = true;
  /** Spaces that become text if more text follows. */
  #spaces = "";
  /** Whether the last piece was a call. */
  #isAfterCall = false;
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

  /** Whether the single allowed call is complete. */
  get isDone(): boolean {
    return this.#isDone;
  }

  push(text: string): ParsedText {
    this.#read(text);
    return this.#take();
  }

  /** @returns the text that was held back; call it once the answer has ended */
  end(): ParsedText {
    // After a mark that began no call, the text may contain calls.
    while (this.#reader && !this.#isDone) this.#read(this.#addCalls(this.#reader.end()));
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
      rest = this.#reader ? this.#addCalls(this.#reader.push(rest)) : this.#readText(rest);
    }
  }

  /** @returns the text to read calls from, if calls begin */
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

  /** @returns the text after the calls, if they have ended */
  #addCalls({ pieces, rest }: CallReaderResult): string | undefined {
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
      this.#isAfterCall = true;
    } else if ("arguments" in piece) {
      this.#calls.push({ index: this.#count - 1, arguments: piece.arguments });
    } else {
      this.#isDone = this.#options.isSingle;
    }
  }

  #addText(text: string): void {
    const all = this.#isAfterCall ? text.trimStart() : this.#spaces + text;
    if (all === "") return;
    const kept = all.trimEnd();
    this.#text += kept;
    this.#spaces = all.slice(kept.length);
    this.#isStart &&= kept === "";
    this.#isAfterCall = false;
  }
}
