import { Automaton } from "./automaton.ts";
import { GrammarError } from "./grammar-error.ts";
import { NO_TEXT, type Program } from "./program.ts";
import type { GrammarSource } from "./source.ts";
import type { State } from "./state.ts";
import { TokenTrie, type Vocabulary } from "./token-trie.ts";

/** Follows one text token by token. */
export interface Matcher {
  /** Whether the text so far matches as a whole. */
  readonly complete: boolean;
  /**
   * Computes which tokens may come next. After each of them the text can still become a match.
   *
   * @param words `[ceil(V / 32)]`: receives a token's bit, `id % 32` of word `id / 32`
   * @throws GrammarError where there are too many ways to match
   */
  mask(words: Uint32Array): void;
  /** @throws RangeError for a token that may not come next */
  accept(token: number): void;
}

/** Compiled grammars that are kept for later requests. */
const KEPT = 16;

/** Masks that are kept per grammar. A few states come up again and again. */
const KEPT_MASKS = 256;

/** Compiles a source, on another thread perhaps. It throws what `compileGrammar` throws. */
export type CompileGrammar = (source: GrammarSource) => Program | Promise<Program>;

/** A grammar that is compiled for a vocabulary. */
export interface CompiledGrammar {
  /** Makes a matcher of one text. */
  matcher(): Matcher;
}

interface Compiled {
  readonly automaton: Automaton;
  readonly start: State;
  masks: WeakMap<State, Uint32Array>;
  maskCount: number;
}

/** Compiles grammars for a vocabulary. The first grammar builds the vocabulary's trie. */
export class GrammarCompiler {
  readonly #vocabulary: Vocabulary;
  readonly #compileGrammar: CompileGrammar;
  #trie: TokenTrie | undefined;
  /** By the source's JSON, the most recently used last. */
  readonly #compiled = new Map<string, Compiled>();

  constructor(vocabulary: Vocabulary, compileGrammar: CompileGrammar) {
    this.#vocabulary = vocabulary;
    this.#compileGrammar = compileGrammar;
  }

  /** @throws GrammarError for a source that can't be enforced, or that no text matches */
  async compile(source: GrammarSource): Promise<CompiledGrammar> {
    const key = JSON.stringify(source);
    const trie = (this.#trie ??= new TokenTrie(this.#vocabulary));
    const compiled =
      this.#compiled.get(key) ?? startedAutomaton(await this.#compileGrammar(source), trie);
    this.#compiled.delete(key);
    this.#compiled.set(key, compiled);
    for (const oldest of this.#compiled.keys()) {
      if (this.#compiled.size <= KEPT) break;
      this.#compiled.delete(oldest);
    }
    return { matcher: () => new TokenMatcher(compiled, trie, this.#vocabulary) };
  }
}

function startedAutomaton(program: Program, trie: TokenTrie): Compiled {
  const automaton = new Automaton(program);
  const start = automaton.start();
  if (!start.complete && start.threads.length === 0) throw new GrammarError(NO_TEXT);
  const costly = costlyState(automaton, start);
  if (costly.threads.length > MANY_THREADS) {
    trie.mark(automaton, costly, new Uint32Array(Math.ceil(trie.size / 32)));
  }
  return { automaton, start: automaton.trim(start), masks: new WeakMap(), maskCount: 0 };
}

/** States with fewer threads are cheap to continue. */
const MANY_THREADS = 64;

/** Bytes after which a state has grown as much as it usually does, and bytes to wait for growth. */
const GROWTH_STEPS = 200;
const PATIENCE = 8;

/**
 * Looks for a state that is costly to continue: of the states after each byte, it goes to the one with
 * the most threads, as long as they become more.
 *
 * @throws GrammarError if the states grow beyond the automaton's limit
 */
function costlyState(automaton: Automaton, start: State): State {
  let state = start;
  let most = start.threads.length;
  let grown = 0;
  for (let step = 0; step < GROWTH_STEPS && step - grown < PATIENCE; step++) {
    let largest: State | null = null;
    for (let byte = 0; byte < 256; byte++) {
      const next = automaton.after(state, byte);
      if (next && next.threads.length > (largest?.threads.length ?? 0)) largest = next;
    }
    if (!largest || largest === state) break;
    state = largest;
    if (state.threads.length > most) [most, grown] = [state.threads.length, step];
  }
  return state;
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
      compiled.automaton.limit.restart();
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
    automaton.limit.restart();
    for (const byte of this.#vocabulary.bytes(token)) {
      state = automaton.after(state, byte);
      if (state === null)
        throw new RangeError(`accept: token ${token} does not match the grammar here`);
    }
    this.#state = automaton.trim(state);
  }
}
