/** Thrown when the text ends within a literal or before an expected one. */
export class UnfinishedError extends Error {}

const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["True", true],
  ["False", false],
  ["None", null],
  ["true", true],
  ["false", false],
  ["null", null],
]);

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "0": "\0",
  "\n": "",
};

/** Escapes with a number of hexadecimal digits. */
const HEX_ESCAPES: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** Converts Python literals to JSON, in a text that may be incomplete. */
export class PythonReader {
  readonly #text: string;
  /** The index of the next character. */
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Skips spaces and takes this character. @throws SyntaxError for another one */
  take(expected: string): void {
    if (!this.takeIf(expected)) this.fail(`'${expected}'`);
  }

  /** Skips spaces and takes the next character if it is this one. */
  takeIf(expected: string): boolean {
    const found = this.next() === expected;
    if (found) this.at++;
    return found;
  }

  /** Skips spaces. @returns the next character @throws UnfinishedError at the end of the text */
  next(): string {
    while (/\s/.test(this.#text[this.at] ?? "")) this.at++;
    return this.#peek();
  }

  /**
   * Skips spaces and takes what the pattern matches.
   *
   * @param pattern a sticky expression
   * @throws SyntaxError when it does not match; UnfinishedError when the match may be incomplete
   */
  match(pattern: RegExp, expected: string): string {
    this.next();
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return this.fail(expected);
    this.at += found.length;
    this.#peek(); // at the end of the text, the match may be incomplete
    return found;
  }

  fail(expected: string): never {
    throw new SyntaxError(`expected ${expected} at ${this.at}`);
  }

  /** Takes a literal. @returns its JSON */
  literal(): string {
    const character = this.next();
    if (character === "'" || character === '"') return JSON.stringify(this.#string());
    if (character === "[") return `[${this.list("[", "]", () => this.literal()).join(", ")}]`;
    if (character === "(") return `[${this.list("(", ")", () => this.literal()).join(", ")}]`;
    if (character === "{") return `{${this.list("{", "}", () => this.#entry()).join(", ")}}`;
    if (/[-+.\d]/.test(character)) return this.#number();
    const word = this.match(/[A-Za-z]\w*/y, "a literal");
    const value = WORDS.get(word);
    return value === undefined ? this.fail("a literal") : JSON.stringify(value);
  }

  /** Takes a list in brackets; a comma may follow its last element. */
  list<T>(open: string, close: string, element: () => T): T[] {
    this.take(open);
    const elements: T[] = [];
    while (!this.takeIf(close)) {
      elements.push(element());
      if (!this.takeIf(",") && this.next() !== close) this.fail(`',' or '${close}'`);
    }
    return elements;
  }

  #entry(): string {
    const key = this.literal();
    this.take(":");
    return `${key.startsWith('"') ? key : JSON.stringify(key)}: ${this.literal()}`;
  }

  #number(): string {
    const isUnfinished = /^[-+]?[\d_.]*(?:[eE][-+]?\d*)?$/.test(this.#text.slice(this.at));
    if (isUnfinished) throw new UnfinishedError();
    const number = this.match(/[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y, "a number");
    const plain = number.replaceAll("_", "").replace("+", "");
    if (/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(plain)) return plain;
    return String(Number(plain));
  }

  #string(): string {
    const quote = this.#quote();
    let text = "";
    for (;;) {
      if (this.#text.startsWith(quote, this.at)) {
        this.at += quote.length;
        return text;
      }
      const character = this.#peek();
      this.at++;
      text += character === "\\" ? this.#escape() : character;
    }
  }

  #quote(): string {
    const one = this.#peek();
    const rest = this.#text.slice(this.at + 1, this.at + 3);
    if (rest.length < 2 && [...rest].every((character) => character === one)) {
      throw new UnfinishedError();
    }
    const quote = rest === one + one ? one.repeat(3) : one;
    this.at += quote.length;
    return quote;
  }

  /** Takes an escape after its backslash. @returns its character; an unknown escape unchanged */
  #escape(): string {
    const letter = this.#peek();
    this.at++;
    const digits = HEX_ESCAPES[letter];
    if (digits === undefined)
      return ESCAPES[letter] ?? (/["'\\]/.test(letter) ? "" : "\\") + letter;
    const hex = this.#text.slice(this.at, this.at + digits);
    if (/^[\da-f]*$/i.test(hex) && hex.length < digits) throw new UnfinishedError();
    const code = /^[\da-f]+$/i.test(hex) ? parseInt(hex, 16) : Infinity;
    if (code > 0x10ffff) this.fail("a character's code");
    this.at += digits;
    return String.fromCodePoint(code);
  }

  #peek(): string {
    const character = this.#text[this.at];
    if (character === undefined) throw new UnfinishedError();
    return character;
  }
}
