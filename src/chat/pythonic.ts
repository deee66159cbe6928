import { PythonReader, UnfinishedError } from "./python-literal.ts";
import type {
  CallPiece,
  CallReader,
  CallReaderOptions,
  CallReaderResult,
  ToolFormat,
  WrittenCall,
} from "./tool-format.ts";

/** An answer that is a list of Python calls: `[f(a=1, b="x"), g()]`. */
export const PYTHONIC: ToolFormat = {
  opening: "[",
  tokens: [],
  calls: (reading) => new PythonCalls(reading, ""),
  write: writtenList,
};

/** A list of Python calls between special tokens: LFM2. */
export const LFM2: ToolFormat = {
  mark: "<|tool_call_start|>",
  tokens: ["<|tool_call_start|>", "<|tool_call_end|>"],
  calls: (reading) => new PythonCalls(reading, "<|tool_call_end|>"),
  write: (calls) => `<|tool_call_start|>${writtenList(calls)}<|tool_call_end|>`,
};

function writtenList(calls: readonly WrittenCall[]): string {
  const list = calls.map(({ name, arguments: values }) => {
    const given = Object.entries(values).map(([key, value]) => `${key}=${pythonOf(value)}`);
    return `${name}(${given.join(", ")})`;
  });
  return `[${list.join(", ")}]`;
}

function pythonOf(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([key, value]) => `${JSON.stringify(key)}: ${pythonOf(value)}`,
  );
  return `{${entries.join(", ")}}`;
}

/** Reads a list of calls. It returns them once the list is complete. */
class PythonCalls implements CallReader {
  readonly #names: ReadonlySet<string>;
  readonly #end: string;
  /** The text so far; once the list is complete, the text after it. */
  #text = "";
  #isComplete = false;

  /** @param end the text after the list; may be empty */
  constructor({ names }: CallReaderOptions, end: string) {
    this.#names = names;
    this.#end = end;
  }

  push(text: string): CallReaderResult {
    this.#text += text;
    const pieces: CallPiece[] = [];
    if (!this.#isComplete) {
      const read = callsIn(this.#text, this.#names);
      if (read === "unfinished") return { pieces };
      if (read === "none") return { pieces, rest: this.#text };
      pieces.push(...read.pieces);
      this.#text = this.#text.slice(read.length);
      this.#isComplete = true;
    }
    const next = this.#text.trimStart();
    if (this.#end !== "" && next.startsWith(this.#end)) {
      return { pieces, rest: next.slice(this.#end.length) };
    }
    if (next === "" || this.#end.startsWith(next)) return { pieces };
    return { pieces, rest: this.#text };
  }

  end(): CallReaderResult {
    return { pieces: [], rest: this.#text };
  }
}

/** The calls of the list at the beginning of a text. */
function callsIn(
  text: string,
  names: ReadonlySet<string>,
): { pieces: CallPiece[]; length: number } | "unfinished" | "none" {
  const reader = new PythonReader(text);
  try {
    const calls = reader.list("[", "]", () => call(reader, names));
    return calls.length > 0 ? { pieces: calls.flat(), length: reader.at } : "none";
  } catch (error) {
    if (error instanceof UnfinishedError) return "unfinished";
    if (error instanceof SyntaxError) return "none";
    throw error;
  }
}

function call(reader: PythonReader, names: ReadonlySet<string>): CallPiece[] {
  const name = reader.match(/[\w.-]+/y, "a name");
  if (!names.has(name)) reader.fail("a tool's name");
  const given = new Map<string, string>();
  reader.list("(", ")", () => {
    const key = reader.match(/[A-Za-z_]\w*/y, "the name of an argument");
    reader.take("=");
    if (given.has(key)) reader.fail("another argument");
    given.set(key, reader.literal());
  });
  const entries = [...given].map(([key, value]) => `${JSON.stringify(key)}: ${value}`);
  return [{ name }, { arguments: `{${entries.join(", ")}}` }, { isComplete: true }];
}
