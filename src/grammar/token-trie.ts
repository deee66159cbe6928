import type { Automaton } from "./automaton.ts";
import type { State } from "./state.ts";

/** The tokens of a tokenizer. */
export interface Vocabulary {
  /** All ids are below this. */
  readonly size: number;
  /** The bytes of a token in the middle of a text. Empty where it stands for no text. */
  bytes(id: number): Uint8Array;
  /** Whether a token is special, such as the end of a message, rather than text. */
  isSpecial(id: number): boolean;
}

/**
 * A trie of a vocabulary's tokens by their bytes. Tokens share the nodes of their common first
 * bytes. Nodes are in depth-first order, which is the sorted order of the tokens' bytes.
 */
export class TokenTrie {
  /** Number of ids. */
  readonly size: number;
  /** Of each node: its byte, its depth, and the first node after its subtree. */
  readonly #bytes: Uint8Array;
  readonly #depths: Uint16Array;
  readonly #ends: Int32Array;
  /** Of each node, and of the end: the index of its first token in `#ids`. */
  readonly #first: Int32Array;
  readonly #ids: Int32Array;

  /** Leaves out special tokens and tokens without text. */
  constructor(vocabulary: Vocabulary) {
    this.size = vocabulary.size;
    const tokens: { id: number; key: string }[] = [];
    let total = 0;
    for (let id = 0; id < vocabulary.size; id++) {
      if (vocabulary.isSpecial(id)) continue;
      const bytes = vocabulary.bytes(id);
      // One character per byte: strings compare faster than arrays.
      if (bytes.length > 0) tokens.push({ id, key: String.fromCharCode(...bytes) });
      total += bytes.length;
    }
    tokens.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.id - b.id));

    this.#bytes = new Uint8Array(total);
    this.#depths = new Uint16Array(total);
    this.#ends = new Int32Array(total);
    this.#first = new Int32Array(total + 1);
    this.#ids = Int32Array.from(tokens, ({ id }) => id);
    let nodes = 0;
    let before = "";
    const open: number[] = [];
    const close = (depth: number) => {
      while (open.length > depth) this.#ends[open.pop() as number] = nodes;
    };
    for (const [i, { key }] of tokens.entries()) {
      let depth = 0;
      while (depth < before.length && before[depth] === key[depth]) depth++;
      close(depth);
      for (; depth < key.length; depth++) {
        this.#bytes[nodes] = key.charCodeAt(depth);
        this.#depths[nodes] = depth;
        this.#first[nodes] = i;
        open.push(nodes++);
      }
      this.#first[nodes] = i + 1;
      before = key;
    }
    close(0);
    this.#bytes = this.#bytes.slice(0, nodes);
  }

  /**
   * Sets the bits of all tokens that may follow in a state.
   *
   * @param words `[ceil(size / 32)]`
   */
  mark(automaton: Automaton, state: State, words: Uint32Array): void {
    const states: State[] = [state];
    for (let node = 0; node < this.#bytes.length;) {
      const depth = this.#depths[node] as number;
      const after = automaton.after(states[depth] as State, this.#bytes[node] as number);
      if (after === null) {
        node = this.#ends[node] as number;
        continue;
      }
      const last = this.#first[node + 1] as number;
      for (let i = this.#first[node] as number; i < last; i++) {
        const id = this.#ids[i] as number;
        words[id >>> 5] = (words[id >>> 5] as number) | (1 << (id & 31));
      }
      states[depth + 1] = after;
      node++;
    }
  }
}
