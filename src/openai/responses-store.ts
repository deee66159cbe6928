import type { Item, ResponseObject } from "./responses-wire.ts";

/** A response with what it answers. */
export interface StoredResponse {
  readonly response: ResponseObject;
  /** The whole conversation before it, earlier answers included. */
  readonly input: readonly Item[];
}

export interface StoreLimits {
  readonly responses: number;
  /** Of the JSON of all that is kept: images count most. */
  readonly characters: number;
}

const LIMITS: StoreLimits = { responses: 1000, characters: 2 ** 27 };

/**
 * The responses that can be gone on from, as long as this object lives. Past its limits it forgets
 * those that were used least recently, all but the last. What several have in common is kept once.
 */
export class ResponseStore {
  readonly #limits: StoreLimits;
  /** Least recently used first. */
  readonly #responses = new Map<string, StoredResponse>();
  readonly #items = new Map<string, { readonly item: Item; readonly size: number; uses: number }>();
  #characters = 0;

  constructor(limits: StoreLimits = LIMITS) {
    this.#limits = limits;
  }

  /** An answer that is there counts as used. */
  get(id: string): StoredResponse | undefined {
    const stored = this.#responses.get(id);
    if (stored) {
      this.#responses.delete(id);
      this.#responses.set(id, stored);
    }
    return stored;
  }

  /** An item of any conversation that is kept. */
  item(id: string): Item | undefined {
    return this.#items.get(id)?.item;
  }

  put(stored: StoredResponse): void {
    this.#responses.set(stored.response.id, stored);
    for (const item of itemsOf(stored)) {
      const held = this.#items.get(item.id);
      if (held) {
        held.uses++;
        continue;
      }
      const size = JSON.stringify(item).length;
      this.#items.set(item.id, { item, size, uses: 1 });
      this.#characters += size;
    }
    const { responses, characters } = this.#limits;
    for (const id of this.#responses.keys()) {
      if (this.#responses.size <= responses && this.#characters <= characters) break;
      if (this.#responses.size > 1) this.delete(id);
    }
  }

  /** @returns whether it was there */
  delete(id: string): boolean {
    const stored = this.#responses.get(id);
    if (!stored) return false;
    this.#responses.delete(id);
    for (const item of itemsOf(stored)) {
      const held = this.#items.get(item.id);
      if (!held || --held.uses > 0) continue;
      this.#items.delete(item.id);
      this.#characters -= held.size;
    }
    return true;
  }
}

/** What a conversation holds once it was answered. */
export function itemsOf({ input, response }: StoredResponse): readonly Item[] {
  return [...input, ...response.output];
}

/** @param kind what the id begins with, such as "resp" */
export function newId(kind: string): string {
  return `${kind}_${crypto.randomUUID().replaceAll("-", "")}`;
}
