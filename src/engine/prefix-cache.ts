import { PAGE_TOKENS } from "../ops/cache.ts";

/**
 * What a row's key and value are computed from, together with the rows before it: a token id, or the
 * key of an image. The rows before also tell which row of the image it is. An image without key is a
 * symbol, because a symbol equals nothing else.
 */
export type RowContent = number | string | symbol;

/** A running sequence, or a cached one that has ended. */
export interface Sequence {
  readonly salt: string;
  readonly rows: RowContent[];
  /** The page that holds rows 64p .. 64p + 63, for each p. */
  readonly pages: number[];
  /** Rows whose keys and values are in the pages, from the first on. */
  computed: number;
}

/** A page to be copied before the sequence writes to the copy. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

/** Thrown when running sequences hold all pages. */
export class NoPagesError extends RangeError {
  override name = "NoPagesError";
}

export interface PrefixCacheOptions {
  /** Whether sequences find rows of others. Default true. */
  readonly shares?: boolean;
  /**
   * Cache and share full pages only, for models with a state per page (short convolutions). No page is
   * ever copied then. Default false.
   */
  readonly wholePages?: boolean;
}

/**
 * Assigns pages to sequences. Pages of ended sequences are cached until their memory is needed: the
 * least recently used sequence then loses its pages first, from its end. Sequences share pages. A
 * shared page is copied before a sequence writes to it.
 */
export class PrefixCache {
  readonly #free: number[];
  /** How many sequences hold each page. */
  readonly #holders: Uint32Array;
  readonly #running = new Set<Sequence>();
  /** Running sequences that no other sequence may share rows with, now or later. */
  readonly #forgotten = new WeakSet<Sequence>();
  /** Sequences that have ended, the least recently used first. */
  #cached: Sequence[] = [];
  readonly #wholePages: boolean;
  readonly #shares: boolean;

  constructor(pages: number, { shares = true, wholePages = false }: PrefixCacheOptions = {}) {
    this.#shares = shares;
    this.#wholePages = wholePages;
    this.#free = Array.from({ length: pages }, (_, i) => pages - 1 - i);
    this.#holders = new Uint32Array(pages);
  }

  /** Number of pages that no sequence holds. */
  get freePages(): number {
    return this.#free.length;
  }

  /** Number of pages that no running sequence holds. */
  get roomPages(): number {
    const held = new Set<number>();
    for (const { pages } of this.#running) for (const page of pages) held.add(page);
    return this.#holders.length - held.size;
  }

  /**
   * Begins a sequence with the longest prefix of `rows` that a cached or a running sequence of the same
   * salt has computed. The prefix never includes the last row, because computing that row gives the
   * logits of the next token. Before the other sequence runs on, call `reserve`.
   *
   * @returns the sequence, to be ended by `end`; its `computed` is the number of rows found
   */
  begin(rows: readonly RowContent[], salt = ""): Sequence {
    const { computed, source } = this.#find(rows, salt);
    if (source && !this.#running.has(source)) this.#touch(source);
    const pages = source?.pages.slice(0, pagesOf(computed)) ?? [];
    for (const page of pages) this.#holders[page] = this.#holdersOf(page) + 1;
    const sequence = { salt, rows: [...rows], pages, computed };
    this.#running.add(sequence);
    return sequence;
  }

  /**
   * @returns how many of the pages for `tokens` rows a sequence would need that begins with `rows`,
   *   besides those of running sequences that it would share
   */
  missingPages(rows: readonly RowContent[], tokens: number, salt = ""): number {
    const { computed, source } = this.#find(rows, salt);
    const shared = source && this.#running.has(source) ? Math.floor(computed / PAGE_TOKENS) : 0;
    return pagesOf(tokens) - shared;
  }

  /** The sequence with the longest prefix of `rows`, and the rows of it that can be shared. */
  #find(rows: readonly RowContent[], salt: string): { computed: number; source?: Sequence } {
    let computed = 0;
    let source: Sequence | undefined;
    for (const other of this.#shares ? [...this.#cached, ...this.#running] : []) {
      if (other.salt !== salt || this.#forgotten.has(other)) continue;
      const common = Math.min(other.computed, commonPrefix(other.rows, rows));
      if (common > computed) [computed, source] = [common, other];
    }
    computed = this.#shareable(Math.max(0, Math.min(computed, rows.length - 1)));
    return { computed, ...(source && { source }) };
  }

  /**
   * Takes a sequence that has ended out of the cache again, with the rows that are left of it.
   *
   * @param rows of the sequence, those that have to be computed again included
   * @returns false when the cache has not kept it
   */
  resume(sequence: Sequence, rows: readonly RowContent[]): boolean {
    if (!this.#cached.includes(sequence)) return false;
    this.#cached = this.#cached.filter((other) => other !== sequence);
    this.#running.add(sequence);
    sequence.rows.splice(0, Infinity, ...rows);
    return true;
  }

  /**
   * Gives a sequence pages that it alone holds for the rows `computed .. tokens - 1`.
   *
   * @returns the copy to make of a page that the sequence has shared until now
   * @throws NoPagesError when running sequences hold all pages; then nothing has changed
   */
  reserve({ pages, computed }: Sequence, tokens: number): PageCopy | undefined {
    const index = Math.floor(computed / PAGE_TOKENS);
    const from = pages[index];
    const isShared = (): boolean => from !== undefined && this.#isShared(from);
    const missing = Math.max(0, pagesOf(tokens) - pages.length);
    // Evicting the other holders may leave the page to this sequence alone.
    while (this.#free.length < missing + Number(isShared())) this.#evict();
    let copy: PageCopy | undefined;
    if (from !== undefined && isShared()) {
      copy = { from, to: this.#take() };
      this.#release(from);
      pages[index] = copy.to;
    }
    for (let i = 0; i < missing; i++) pages.push(this.#take());
    return copy;
  }

  /** Ends a sequence and caches its computed rows, unless `clear` was called while it ran. */
  end(sequence: Sequence): void {
    const { rows, pages, salt } = sequence;
    const computed = this.#shareable(sequence.computed);
    this.#running.delete(sequence);
    const isCached = this.#shares && computed > 0 && !this.#forgotten.has(sequence);
    sequence.computed = rows.length = computed;
    for (const page of pages.splice(isCached ? pagesOf(computed) : 0)) this.#release(page);
    if (!isCached) return;
    const sameSalt = this.#cached.filter((other) => other.salt === salt);
    const longer = sameSalt.find((other) => commonPrefix(other.rows, rows) === computed);
    if (longer) {
      this.#touch(longer);
      for (const page of pages) this.#release(page);
      return;
    }
    for (const other of sameSalt) {
      if (commonPrefix(other.rows, rows) === other.computed) this.#drop(other);
    }
    this.#cached.push(sequence);
  }

  /** Empties the cache. Sequences that run now are not cached when they end. */
  clear(): void {
    for (const sequence of [...this.#cached]) this.#drop(sequence);
    for (const sequence of this.#running) this.#forgotten.add(sequence);
  }

  /** Makes a sequence the most recently used one. */
  #touch(sequence: Sequence): void {
    this.#cached = [...this.#cached.filter((other) => other !== sequence), sequence];
  }

  #drop(sequence: Sequence): void {
    this.#cached = this.#cached.filter((other) => other !== sequence);
    for (const page of sequence.pages) this.#release(page);
  }

  /** Takes the last page of the least recently used sequence. Other sequences may still hold it. */
  #evict(): void {
    const oldest = this.#cached[0];
    const page = oldest?.pages.pop();
    if (!oldest || page === undefined) {
      throw new NoPagesError(
        `PrefixCache: running sequences hold all ${this.#holders.length} pages`,
      );
    }
    this.#release(page);
    oldest.computed = oldest.rows.length = oldest.pages.length * PAGE_TOKENS;
    if (oldest.computed === 0) this.#cached.shift();
  }

  #take(): number {
    const page = this.#free.pop() as number;
    this.#holders[page] = 1;
    return page;
  }

  #release(page: number): void {
    const holders = this.#holdersOf(page) - 1;
    this.#holders[page] = holders;
    if (holders === 0) this.#free.push(page);
  }

  /** @returns how many of the computed rows another sequence can begin with */
  #shareable(computed: number): number {
    return this.#wholePages ? computed - (computed % PAGE_TOKENS) : computed;
  }

  #isShared(page: number): boolean {
    return this.#holdersOf(page) > 1;
  }

  #holdersOf(page: number): number {
    return this.#holders[page] as number;
  }
}

function pagesOf(rows: number): number {
  return Math.ceil(rows / PAGE_TOKENS);
}

function commonPrefix(a: readonly RowContent[], b: readonly RowContent[]): number {
  const most = Math.min(a.length, b.length);
  let common = 0;
  while (common < most && a[common] === b[common]) common++;
  return common;
}
