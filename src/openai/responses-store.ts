import type { Item, ResponseObject } from "./responses-wire.ts";

/** A response and the conversation that it answers. */
export interface StoredResponse {
  readonly response: ResponseObject;
  /** The conversation before the response, including earlier responses. */
  readonly input: readonly Item[];
}

export interface StoreLimits {
  /** Maximum number of responses. */
  readonly responses: number;
  /** Maximum length of the JSON of all stored items. Most of it is images. */
  readonly characters: number;
}

const LIMITS: StoreLimits = { responses: 1000, characters: 2 ** 27 };

/**
 * Stores the responses that later requests may refer to. Beyond its limits it deletes the least
 * recently used ones, but never the newest. Items that several conversations share are stored once.
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

  /** A response that is found counts as used. */
  get(id: string): StoredResponse | undefined {
    const stored = this.#responses.get(id);
    if (stored) {
      this.#responses.delete(id);
      this.#responses.set(id, stored);
    }
    return stored;
  }

  /** An item of any stored conversation. */
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

  /** @returns whether the response was stored */
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

/** The items of a conversation including its response. */
export function itemsOf({ input, response }: StoredResponse): readonly Item[] {
  return [...input, ...response.output];
}

/** @param kind the beginning of the id, such as "resp" */
export function newId(kind: string): string {
  return `${kind}_${crypto.randomUUID().replaceAll("-", "")}`;
}
