/** A way in which models write calls of tools. */
export interface ToolFormat {
  /** What begins calls, anywhere in an answer. */
  readonly mark?: string;
  /** What begins calls at the beginning of an answer, spaces aside. */
  readonly opening?: string;
  /** What the format is made of that a tokenizer may have as special tokens. */
  readonly tokens: readonly string[];
  /** Reads on from behind the mark, or from the opening on. */
  calls(reading: CallReaderOptions): CallReader;
  /** Past calls as the model would have written them. */
  write(calls: readonly WrittenCall[]): string;
  /** How calls can be forced; none: only in another format. */
  readonly forced?: ForcedCalls;
}

/** How calls are read. */
export interface CallReaderOptions {
  /** The tools that there are: a call of another one is text. */
  readonly names: ReadonlySet<string>;
  /** Give arguments as they come, rather than when the call is whole. */
  readonly early: boolean;
}

/** Reads calls that come in pieces, up to where something else follows. */
export interface CallReader {
  push(text: string): CallReaderResult;
  /** No more text comes. */
  end(): CallReaderResult;
}

/** What a piece of text brought. */
export interface CallReaderResult {
  readonly pieces: readonly CallPiece[];
  /** Where the calls have ended: the text behind the last of them, or all of it if there was none. */
  readonly rest?: string;
}

/** A part of a call: its name first, then its arguments, then its end. */
export type CallPiece =
  { readonly name: string } | { readonly arguments: string } | { readonly whole: true };

/** A call as formats write it. */
export interface WrittenCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What stands around the JSON of a call's arguments. */
export interface ForcedCalls {
  /** What nothing but a call begins with. */
  readonly trigger: string;
  begin(name: string): string;
  readonly end: string;
  readonly separator: string;
}
