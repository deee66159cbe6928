/** "complete": the last brace was read. "broken": the text is not JSON, or a key occurs twice. */
export type ObjectState = "open" | "complete" | "broken";

/** The range of a member's value in the object's text. */
export interface Member {
  readonly from: number;
  /** The end, exclusive; undefined while the value is incomplete. */
  readonly to?: number;
}

/** What may follow, outside of strings, numbers and words. */
type Expected = "object" | "value" | "element" | "key" | "first key" | "colon" | "comma";

const SPACE = /[ \t\n\r]/;
const WORDS = ["true", "false", "null"];
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const NUMBER_START = /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:(?<=\d)[eE](?:[+-]?\d*))?)?$/;
const ESCAPE_START = /^\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{0,4})?$/;
const ESCAPE = /^\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})$/;

/** Parses a JSON object (RFC 8259) that arrives in pieces. */
export class JsonObject {
  /** The text that was read so far, from the first brace. */
  text = "";
  state: ObjectState = "open";
  /** The members of the object itself, not of inner objects, in order. */
  readonly members = new Map<string, Member>();
  /** The open brackets, outermost first. */
  readonly #open: ("{" | "[")[] = [];
  #expected: Expected = "object";
  /** The current string, number or word, and its start. */
  #scalar: { kind: "string" | "number" | "word"; from: number } | undefined;
  /** The incomplete escape sequence of the current string. */
  #escape = "";
  #isKey = false;
  #key = "";

  /** @returns how many characters belong to the object: up to its end, or to the first error */
  push(text: string): number {
    for (let taken = 0; taken < text.length; taken++) {
      if (this.state !== "open") return taken;
      const character = text[taken] as string;
      const known = this.#scalar ? this.#inScalar(character) : this.#structure(character);
      if (!known) {
        this.state = "broken";
        return taken;
      }
      this.text += character;
    }
    return text.length;
  }

  #inScalar(character: string): boolean {
    const { kind, from } = this.#scalar as { kind: string; from: number };
    if (kind === "string") return this.#inString(character);
    const soFar = this.text.slice(from);
    if (kind === "word") {
      const word = soFar + character;
      if (WORDS.includes(word)) this.#endScalar(1);
      return WORDS.some((full) => full.startsWith(word));
    }
    if (NUMBER_START.test(soFar + character)) return true;
    if (!NUMBER.test(soFar)) return false;
    this.#endScalar(0);
    return this.#structure(character);
  }

  #inString(character: string): boolean {
    if (this.#escape || character === "\\") {
      const escape = this.#escape + character;
      this.#escape = ESCAPE.test(escape) ? "" : escape;
      return ESCAPE_START.test(escape);
    }
    if (character === '"') this.#endScalar(1);
    return character >= " ";
  }

  /** @param ahead how many of the scalar's characters are not in `text` yet */
  #endScalar(ahead: 0 | 1): void {
    const { from } = this.#scalar as { from: number };
    this.#scalar = undefined;
    if (!this.#isKey) return this.#endValue(ahead);
    this.#isKey = false;
    this.#expected = "colon";
    if (this.#open.length === 1) this.#key = JSON.parse(`${this.text.slice(from)}"`) as string;
  }

  #structure(character: string): boolean {
    if (SPACE.test(character)) return this.#expected !== "object";
    switch (this.#expected) {
      case "object":
        return character === "{" && this.#begin("{");
      case "first key":
        return character === "}" ? this.#end() : this.#beginKey(character);
      case "key":
        return this.#beginKey(character);
      case "colon":
        this.#expected = "value";
        return character === ":";
      case "element":
        return character === "]" ? this.#end() : this.#beginValue(character);
      case "value":
        return this.#beginValue(character);
      case "comma":
        if (character === (this.#open.at(-1) === "{" ? "}" : "]")) return this.#end();
        this.#expected = this.#open.at(-1) === "{" ? "key" : "value";
        return character === ",";
    }
  }

  #beginKey(character: string): boolean {
    this.#isKey = true;
    this.#scalar = { kind: "string", from: this.text.length };
    return character === '"';
  }

  #beginValue(character: string): boolean {
    const from = this.text.length;
    if (this.#open.length === 1) {
      if (this.members.has(this.#key)) return false;
      this.members.set(this.#key, { from });
    }
    if (character === "{" || character === "[") return this.#begin(character);
    if (character === '"') this.#scalar = { kind: "string", from };
    else if (/[-\d]/.test(character)) this.#scalar = { kind: "number", from };
    else if (/[tfn]/.test(character)) this.#scalar = { kind: "word", from };
    return this.#scalar !== undefined;
  }

  #begin(bracket: "{" | "["): true {
    this.#open.push(bracket);
    this.#expected = bracket === "{" ? "first key" : "element";
    return true;
  }

  /** Closes the innermost bracket. */
  #end(): true {
    this.#open.pop();
    if (this.#open.length === 0) this.state = "complete";
    else this.#endValue(1);
    return true;
  }

  #endValue(ahead: 0 | 1): void {
    this.#expected = "comma";
    const member = this.members.get(this.#key);
    if (this.#open.length === 1 && member) {
      this.members.set(this.#key, { ...member, to: this.text.length + ahead });
    }
  }
}
