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

/** `<tool_call>` around each `{"name": …, "arguments": …}`: Hermes, and Qwen after it. */
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

/** Answers that are `{"name": …, "parameters": …}`, several with semicolons between: Llama 3. */
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

/** What stands behind and between objects, spaces aside; either may be empty. */
interface Punctuation {
  readonly end: string;
  readonly separator: string;
}

/** Reads objects that each are a call. */
class JsonCalls implements CallReader {
  readonly #reading: CallReaderOptions;
  readonly #punctuation: Punctuation;
  /** What came since the end of the last call. */
  #text = "";
  /** How much of that the call under way was given. */
  #given = 0;
  /** The call under way; none: behind one. */
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
    // What has been told of a call stays, even where the answer ends in the middle of it.
    return { pieces: [], rest: this.#call?.isTold ? "" : this.#text };
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
      return { rest: call.isTold ? this.#text.slice(this.#given) : this.#text };
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
    const behind = next.slice(separator.length).trimStart();
    if (!next.startsWith(separator) || (behind !== "" && !behind.startsWith("{"))) {
      return { rest: this.#text };
    }
    if (behind === "") return "wait";
    this.#given = this.#text.length - behind.length;
    this.#call = new CallObject(this.#reading);
    return undefined;
  }
}

/** What the object of a call begins with; another one is not a call. */
const FIRST_KEYS = ["name", "arguments", "parameters", "id", "type"];

const ARGUMENTS_KEYS = ["arguments", "parameters"];

/** Reads one call's object. */
class CallObject {
  readonly #reading: CallReaderOptions;
  readonly #object = new JsonObject();
  #isCall = true;
  #isNamed = false;
  /** How many characters of the arguments were told. */
  #told = 0;

  constructor(reading: CallReaderOptions) {
    this.#reading = reading;
  }

  get state() {
    return this.#isCall ? this.#object.state : "broken";
  }

  /** Whether any of it was told. */
  get isTold(): boolean {
    return this.#isNamed;
  }

  /**
   * @param pieces receives what is certain now
   * @returns how many characters it took
   */
  push(text: string, pieces: CallPiece[]): number {
    const taken = this.#object.push(text);
    if (this.#isNamed || this.#check()) this.#tell(pieces);
    return taken;
  }

  /** Finds out whether the object is a call. @returns whether that is certain */
  #check(): boolean {
    const { members, state } = this.#object;
    const [first] = members.keys();
    const name = this.#value("name");
    const isWhole = state === "whole";
    if (first !== undefined && !FIRST_KEYS.includes(first)) this.#isCall = false;
    if (name !== undefined && !this.#reading.names.has(name as string)) this.#isCall = false;
    if (isWhole && (name === undefined || this.#arguments() === undefined)) this.#isCall = false;
    if (!this.#isCall || name === undefined) return false;
    return isWhole || (this.#reading.early && this.#soFar().startsWith("{"));
  }

  #tell(pieces: CallPiece[]): void {
    if (!this.#isNamed) pieces.push({ name: this.#value("name") as string });
    this.#isNamed = true;
    const isWhole = this.#object.state === "whole";
    const all = isWhole ? (this.#arguments() as string) : this.#soFar();
    if (all.length > this.#told) pieces.push({ arguments: all.slice(this.#told) });
    this.#told = all.length;
    if (isWhole) pieces.push({ whole: true });
  }

  /** The arguments' text as far as it has come. */
  #soFar(): string {
    const { members, text } = this.#object;
    const member = [...members].find(([key]) => ARGUMENTS_KEYS.includes(key));
    return member ? text.slice(member[1].from, member[1].to) : "";
  }

  /** The arguments of a whole object; undefined where they are not an object's. */
  #arguments(): string | undefined {
    const text = this.#soFar();
    if (text === "" || text === "null") return "{}";
    if (text.startsWith("{")) return text;
    // Some models write the JSON of the arguments into a string.
    const inner: unknown = text.startsWith('"') ? JSON.parse(text) : undefined;
    const object = new JsonObject();
    const isObject = typeof inner === "string" && object.push(inner) === inner.length;
    return isObject && object.state === "whole" ? inner : undefined;
  }

  /** The value of a member that is whole. */
  #value(key: string): unknown {
    const { from, to } = this.#object.members.get(key) ?? {};
    return to === undefined ? undefined : JSON.parse(this.#object.text.slice(from, to));
  }
}
