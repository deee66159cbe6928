import type { GeneratedToken } from "./generation.ts";

/** Tokens between the engine, which never waits for a reader, and the reader of one request. */
export class TokenQueue {
  readonly #tokens: GeneratedToken[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(token: GeneratedToken): void {
    this.#tokens.push(token);
    this.#wake?.();
  }

  /** Ends the queue after the tokens in it. Later calls have no effect. */
  end(): void {
    this.#end ??= {};
    this.#wake?.();
  }

  /** Ends the queue with an error after the tokens in it. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  /** Ends the queue with an error now: the reader gets none of the tokens that it has not read. */
  abort(error: unknown): void {
    if (this.#end) return;
    this.#tokens.length = 0;
    this.fail(error);
  }

  /**
   * Waits for the next token.
   *
   * @returns undefined after the last token
   * @throws what `fail` or `abort` was given
   */
  async next(): Promise<GeneratedToken | undefined> {
    while (this.#tokens.length === 0 && !this.#end) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const token = this.#tokens.shift();
    if (!token && this.#end && "error" in this.#end) throw this.#end.error;
    return token;
  }
}
