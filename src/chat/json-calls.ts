import { JsonObject } from "./json-object.ts";
import { spacedJson } from "./spaced-json.ts";
import type {
  CallPiece,
  CallReader,
  CallReaderOptions,
  CallReaderResult,
  ToolFormat,
  WrittenCall,
} from "./tool-format.ts";

/** `<tool_call>` around each `{"name": …, "arguments": …}`: the format of Hermes and Qwen. */
export const HERMES: ToolFormat = {
  mark: "<tool_call>",
  tokens: ["<tool_call>", "</tool_call>"],
  calls: (reading) => new JsonCalls(reading, { end: "</tool_call>", separator: "" }),
  write: (calls) =>
    calls.map((call) => `<tool_call>\n${written(call, "arguments")}\n</tool_call>`).join("\n"),
  forced: {
    trigger: "<tool_call>",
    begin: (name) => `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `,
    end: "}\n</tool_call>",
    separator: "\n",
  },
};

/** An answer of `{"name": …, "parameters": …}` objects, separated by semicolons: Llama 3. */
export const LLAMA: ToolFormat = {
  mark: "<|python_tag|>",
  opening: "{",
  tokens: ["<|python_tag|>"],
  calls: (reading) => new JsonCalls(reading, { end: "", separator: ";" }),
  write: (calls) => calls.map((call) => written(call, "parameters")).join("; "),
  forced: {
    trigger: '{"name":',
    begin: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `,
    end: "}",
    separator: "; ",
  },
};

function written({ name, arguments: values }: WrittenCall, key: string): string {
  return spacedJson({ name, [key]: values });
}

/** The text after each object and between objects, without spaces. Either may be empty. */
interface Punctuation {
  readonly end: string;
  readonly separator: string;
}

/** Reads a sequence of JSON objects, each of them a call. */
class JsonCalls implements CallReader {
  readonly #reading: CallReaderOptions;
  readonly #punctuation: Punctuation;
  /** The text since the end of the last call. */
  #text = "";
  /** How many characters of it the current call has received. */
  #given = 0;
  /** The current call; undefined between calls. */
  #call: CallObject | undefined;

  constructor(reading: CallReaderOptions, punctuation: Punctuation) {
    this.#reading = reading;
    this.#punctuation = punctuation;
    this.#call = new CallObject(reading);
  }

  push(text: string): CallReaderResult {
    this.#text += text;
    const pieces: CallPiece[] = [];
    for (;;) {
      const rest = this.#call ? this.#readCall(this.#call, pieces) : this.#readBetween();
      if (rest !== undefined) return rest === "wait" ? { pieces } : { pieces, rest: rest.rest };
    }
  }

  end(): CallReaderResult {
    // The pieces of a call that were returned stay valid, even if the answer ends within the call.
    return { pieces: [], rest: this.#call?.hasBegun ? "" : this.#text };
  }

  #readCall(call: CallObject, pieces: CallPiece[]): "wait" | { rest: string } | undefined {
    if (this.#given === 0) {
      const start = this.#text.search(/[^ \t\n\r]/);
      if (start < 0) return "wait";
      this.#given = start;
    }
    this.#given += call.push(this.#text.slice(this.#given), pieces);
    if (call.state === "open") return "wait";
    if (call.state === "broken") {
      return { rest: call.hasBegun ? this.#text.slice(this.#given) : this.#text };
    }
    this.#text = this.#text.slice(this.#given);
    this.#call = undefined;
    return undefined;
  }

  #readBetween(): "wait" | { rest: string } | undefined {
    const { end, separator } = this.#punctuation;
    const next = this.#text.trimStart();
    if (next === "") return "wait";
    if (end !== "" && next.startsWith(end)) return { rest: next.slice(end.length) };
    if (end.startsWith(next)) return "wait";
    const after = next.slice(separator.length).trimStart();
    if (!next.startsWith(separator) || (after !== "" && !after.startsWith("{"))) {
      return { rest: this.#text };
    }
    if (after === "") return "wait";
    this.#given = this.#text.length - after.length;
    this.#call = new CallObject(this.#reading);
    return undefined;
  }
}

/** The possible first keys of a call. An object with another first key is not a call. */
const FIRST_KEYS = ["name", "arguments", "parameters", "id", "type"];

const ARGUMENTS_KEYS = ["arguments", "parameters"];

/** Reads the object of one call. */
class CallObject {
  readonly #reading: CallReaderOptions;
  readonly #object = new JsonObject();
  #isCall = true;
  #isNamed = false;
  /** How many characters of the arguments were returned. */
  #returned = 0;

  constructor(reading: CallReaderOptions) {
    this.#reading = reading;
  }

  get state() {
    return this.#isCall ? this.#object.state : "broken";
  }

  /** Whether a piece of the call was returned. */
  get hasBegun(): boolean {
    return this.#isNamed;
  }

  /**
   * @param pieces receives the pieces that are certain now
   * @returns how many characters belong to the object
   */
  push(text: string, pieces: CallPiece[]): number {
    const taken = this.#object.push(text);
    if (this.#isNamed || this.#check()) this.#addPieces(pieces);
    return taken;
  }

  /** Checks whether the object is a call. @returns whether it certainly is */
  #check(): boolean {
    const { members, state } = this.#object;
    const [first] = members.keys();
    const name = this.#value("name");
    const isComplete = state === "complete";
    if (first !== undefined && !FIRST_KEYS.includes(first)) this.#isCall = false;
    if (name !== undefined && !this.#reading.names.has(name as string)) this.#isCall = false;
    if (isComplete && (name === undefined || this.#arguments() === undefined)) this.#isCall = false;
    if (!this.#isCall || name === undefined) return false;
    return isComplete || (this.#reading.early && this.#argumentsSoFar().startsWith("{"));
  }

  #addPieces(pieces: CallPiece[]): void {
    if (!this.#isNamed) pieces.push({ name: this.#value("name") as string });
    this.#isNamed = true;
    const isComplete = this.#object.state === "complete";
    const all = isComplete ? (this.#arguments() as string) : this.#argumentsSoFar();
    if (all.length > this.#returned) pieces.push({ arguments: all.slice(this.#returned) });
    this.#returned = all.length;
    if (isComplete) pieces.push({ isComplete: true });
  }

  /** The text of the arguments so far. */
  #argumentsSoFar(): string {
    const { members, text } = this.#object;
    const member = [...members].find(([key]) => ARGUMENTS_KEYS.includes(key));
    return member ? text.slice(member[1].from, member[1].to) : "";
  }

  /** The arguments of a complete call; undefined if they are not a JSON object. */
  #arguments(): string | undefined {
    const text = this.#argumentsSoFar();
    if (text === "" || text === "null") return "{}";
    if (text.startsWith("{")) return text;
    // Some models write the arguments as a string that contains JSON.
    const inner: unknown = text.startsWith('"') ? JSON.parse(text) : undefined;
    const object = new JsonObject();
    const isObject = typeof inner === "string" && object.push(inner) === inner.length;
    return isObject && object.state === "complete" ? inner : undefined;
  }

  /** The value of a member, if it is complete. */
  #value(key: string): unknown {
    const { from, to } = this.#object.members.get(key) ?? {};
    return to === undefined ? undefined : JSON.parse(this.#object.text.slice(from, to));
  }
}
