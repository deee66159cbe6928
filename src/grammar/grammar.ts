import { Automaton } from "./automaton.ts";
import { parseEbnf } from "./ebnf.ts";
import { type Grammar, Rules } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { schemaExpression } from "./json-schema.ts";
import { NO_TEXT, program } from "./program.ts";
import { regexExpression } from "./regex.ts";
import type { GrammarSource } from "./source.ts";
import type { State } from "./state.ts";
import { tagsExpression } from "./tags.ts";
import { TokenTrie, type Vocabulary } from "./token-trie.ts";

/** Follows one text token by token. */
export interface Matcher {
  /** Whether the text so far matches as a whole. */
  readonly complete: boolean;
  /**
   * Computes which tokens may come next. After each of them the text can still become a match.
   *
   * @param words `[ceil(V / 32)]`: receives a token's bit, `id % 32` of word `id / 32`
   */
  mask(words: Uint32Array): void;
  /** @throws RangeError for a token that may not come next */
  accept(token: number): void;
}

/** Compiled grammars that are kept for later requests. */
const KEPT = 16;

/** Masks that are kept per grammar. A few states come up again and again. */
const KEPT_MASKS = 256;

interface Compiled {
  readonly automaton: Automaton;
  readonly start: State;
  masks: WeakMap<State, Uint32Array>;
  maskCount: number;
}

/** Compiles grammars for a vocabulary. The first grammar builds the vocabulary's trie. */
export class GrammarCompiler {
  readonly #vocabulary: Vocabulary;
  #trie: TokenTrie | undefined;
  /** By the source's JSON, the most recently used last. */
  readonly #compiled = new Map<string, Compiled>();

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** @throws GrammarError for a source that can't be enforced, or that no text matches */
  matcher(source: GrammarSource): Matcher {
    const compiled = this.#compile(source);
    this.#trie ??= new TokenTrie(this.#vocabulary);
    return new TokenMatcher(compiled, this.#trie, this.#vocabulary);
  }

  #compile(source: GrammarSource): Compiled {
    const key = JSON.stringify(source);
    let compiled = this.#compiled.get(key);
    if (!compiled) {
      const automaton = new Automaton(program(grammarOf(source)));
      const start = automaton.start();
      if (!start.complete && start.threads.length === 0) throw new GrammarError(NO_TEXT);
      compiled = { automaton, start, masks: new WeakMap(), maskCount: 0 };
    }
    this.#compiled.delete(key);
    this.#compiled.set(key, compiled);
    for (const oldest of this.#compiled.keys()) {
      if (this.#compiled.size <= KEPT) break;
      this.#compiled.delete(oldest);
    }
    return compiled;
  }
}

/** @throws GrammarError for a source that can't be enforced */
export function grammarOf(source: GrammarSource): Grammar {
  const rules = new Rules();
  switch (source.type) {
    case "json_object":
      return { root: schemaExpression({ type: "object" }, rules), rules: rules.all };
    case "json_schema":
      return { root: schemaExpression(source.schema, rules), rules: rules.all };
    case "regex":
      return { root: regexExpression(source.pattern, "whole"), rules: rules.all };
    case "ebnf":
      return { root: parseEbnf(source.grammar, rules), rules: rules.all };
    case "structural_tag":
      return { root: tagsExpression(source.format, rules), rules: rules.all };
  }
}

class TokenMatcher implements Matcher {
  readonly #compiled: Compiled;
  readonly #trie: TokenTrie;
  readonly #vocabulary: Vocabulary;
  #state: State;

  constructor(compiled: Compiled, trie: TokenTrie, vocabulary: Vocabulary) {
    this.#compiled = compiled;
    this.#trie = trie;
    this.#vocabulary = vocabulary;
    this.#state = compiled.start;
  }

  get complete(): boolean {
    return this.#state.complete;
  }

  mask(words: Uint32Array): void {
    const compiled = this.#compiled;
    let mask = compiled.masks.get(this.#state);
    if (!mask) {
      mask = new Uint32Array(Math.ceil(this.#trie.size / 32));
      this.#trie.mark(compiled.automaton, this.#state, mask);
      if (++compiled.maskCount > KEPT_MASKS) {
        compiled.masks = new WeakMap();
        compiled.maskCount = 1;
      }
      compiled.masks.set(this.#state, mask);
    }
    // The model's vocabulary may be larger or smaller than the tokenizer's.
    words.fill(0);
    words.set(mask.subarray(0, words.length));
  }

  accept(token: number): void {
    const { automaton } = this.#compiled;
    let state: State | null = this.#state;
    for (const byte of this.#vocabulary.bytes(token)) {
      state = automaton.after(state, byte);
      if (state === null)
        throw new RangeError(`accept: token ${token} does not match the grammar here`);
    }
    this.#state = automaton.trim(state);
  }
}
