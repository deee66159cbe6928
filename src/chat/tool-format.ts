/** A format in which models write tool calls. */
export interface ToolFormat {
  /** The text that begins calls anywhere in an answer. */
  readonly mark?: string;
  /** The text that begins calls at the start of an answer, after optional spaces. */
  readonly opening?: string;
  /** Texts of the format that a tokenizer may have as special tokens. */
  readonly tokens: readonly string[];
  /** A reader of calls. Its text begins after `mark`, or with `opening`. */
  calls(options: CallReaderOptions): CallReader;
  /** Writes past calls as the model would have written them. */
  write(calls: readonly WrittenCall[]): string;
  /** How a grammar can enforce calls; undefined for a format where it can't. */
  readonly forced?: ForcedCalls;
}

/** How calls are read. */
export interface CallReaderOptions {
  /** The names of the tools. A call with another name is text. */
  readonly names: ReadonlySet<string>;
  /** Return arguments piece by piece instead of once the call is complete. */
  readonly early: boolean;
}

/** Reads calls that arrive in pieces, up to the first text that is not a call. */
export interface CallReader {
  push(text: string): CallReaderResult;
  /** Ends the text. */
  end(): CallReaderResult;
}

/** The calls in a piece of text. */
export interface CallReaderResult {
  readonly pieces: readonly CallPiece[];
  /** Once the calls have ended: the text after the last call, or all text if there was no call. */
  readonly rest?: string;
}

/** A part of a call: first its name, then its arguments in one or more pieces, then its end. */
export type CallPiece =
  { readonly name: string } | { readonly arguments: string } | { readonly isComplete: true };

/** A call to write, with parsed arguments. */
export interface WrittenCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** The texts around the JSON of a call's arguments, for a grammar that enforces calls. */
export interface ForcedCalls {
  /** A text that only calls begin with. */
  readonly trigger: string;
  begin(name: string): string;
  readonly end: string;
  readonly separator: string;
}
