/** "whole": its last brace has come; "broken": it is not JSON, or has a key twice. */
export type ObjectState = "open" | "whole" | "broken";

/** Where the value of a member stands in the object's text. */
export interface Member {
  readonly from: number;
  /** Behind its last character; none while it is still coming. */
  readonly to?: number;
}

/** What may come next, outside of strings, numbers and words. */
type Expected = "object" | "value" | "element" | "key" | "first key" | "colon" | "comma";

const SPACE = /[ \t\n\r]/;
const WORDS = ["true", "false", "null"];
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const NUMBER_START = /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:(?<=\d)[eE](?:[+-]?\d*))?)?$/;
const ESCAPE_START = /^\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{0,4})?$/;
const ESCAPE = /^\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})$/;

/** Follows a JSON object (RFC 8259) that comes in pieces. */
export class JsonObject {
  /** What was taken so far, from the first brace on. */
  text = "";
  state: ObjectState = "open";
  /** The object's own members, in order. */
  readonly members = new Map<string, Member>();
  /** The brackets that are open. */
  readonly #open: ("{" | "[")[] = [];
  #expected: Expected = "object";
  /** A string, number or word that is under way, by where it begins. */
  #scalar: { kind: "string" | "number" | "word"; from: number } | undefined;
  /** The part of a string's escape that has come. */
  #escape = "";
  #isKey = false;
  #key = "";

  /** @returns how many characters it took: not what breaks it, nor what is behind its end */
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
      return WORDS.some((whole) => whole.startsWith(word));
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

  /** @param ahead how many of its characters are not in the text yet */
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
    if (this.#open.length === 0) this.state = "whole";
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
