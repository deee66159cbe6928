import { PAGE_TOKENS } from "../ops/cache.ts";

/**
 * What a row's key and value were computed from, beside the rows before it: a token's id, or the
 * key of an image (which of its rows follows from the rows before). A symbol equals nothing else,
 * and so stands for an image without a key.
 */
export type RowContent = number | string | symbol;

/** A sequence under way, or one that is kept. */
export interface Sequence {
  readonly salt: string;
  readonly rows: RowContent[];
  /** Page p holds rows 64p .. 64p + 63. */
  readonly pages: number[];
  /** Rows whose keys and values are in the pages. */
  computed: number;
}

/** A page whose rows must be copied before the copy is written to. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

export interface PrefixCacheOptions {
  /**
   * Share and keep whole pages only: for models that keep something of a page which is of its last
   * rows. Then no page is ever copied. Default false.
   */
  readonly wholePages?: boolean;
}

/**
 * Which page holds what. Pages of sequences that have ended are kept until room is wanted; then the
 * least recently used goes first, from its end. Sequences share full pages. A page that one of them
 * goes on to write is copied first.
 */
export class PrefixCache {
  readonly #free: number[];
  /** How many sequences hold each page. */
  readonly #holders: Uint32Array;
  readonly #running = new Set<Sequence>();
  /** The least recently used first. */
  #kept: Sequence[] = [];
  readonly #wholePages: boolean;

  constructor(pages: number, { wholePages = false }: PrefixCacheOptions = {}) {
    this.#wholePages = wholePages;
    this.#free = Array.from({ length: pages }, (_, i) => pages - 1 - i);
    this.#holders = new Uint32Array(pages);
  }

  /** Pages that hold nothing. */
  get freePages(): number {
    return this.#free.length;
  }

  /**
   * Begins a sequence with the longest prefix of `rows` that is kept under the same salt. The last
   * row is never part of it: somebody must compute what comes after it.
   *
   * @returns the sequence, to be ended by `end`; `computed` tells how many rows were found
   */
  begin(rows: readonly RowContent[], salt = ""): Sequence {
    let computed = 0;
    let source: Sequence | undefined;
    for (const kept of this.#kept) {
      const common = kept.salt === salt ? commonPrefix(kept.rows, rows) : 0;
      if (common > computed) [computed, source] = [common, kept];
    }
    computed = this.#keepable(Math.max(0, Math.min(computed, rows.length - 1)));
    if (source) this.#touch(source);
    const pages = source?.pages.slice(0, pagesOf(computed)) ?? [];
    for (const page of pages) this.#holders[page] = this.#holdersOf(page) + 1;
    const sequence = { salt, rows: [...rows], pages, computed };
    this.#running.add(sequence);
    return sequence;
  }

  /**
   * Gives a sequence pages of its own for the rows `computed .. tokens - 1`.
   *
   * @returns the copy to be made of a page that it has shared so far
   * @throws RangeError when sequences under way hold all pages
   */
  reserve({ pages, computed }: Sequence, tokens: number): PageCopy | undefined {
    const index = Math.floor(computed / PAGE_TOKENS);
    const from = pages[index];
    let copy: PageCopy | undefined;
    if (from !== undefined && this.#isShared(from)) {
      // Making room may leave the page to this sequence alone.
      while (this.#free.length === 0 && this.#isShared(from)) this.#evict();
      if (this.#isShared(from)) {
        copy = { from, to: this.#take() };
        this.#release(from);
        pages[index] = copy.to;
      }
    }
    while (pages.length < pagesOf(tokens)) pages.push(this.#take());
    return copy;
  }

  /** Ends a sequence and keeps what is computed of it, unless `clear` was called meanwhile. */
  end(sequence: Sequence): void {
    const { rows, pages, salt } = sequence;
    const computed = this.#keepable(sequence.computed);
    const kept = this.#running.delete(sequence) && computed > 0;
    sequence.computed = rows.length = computed;
    for (const page of pages.splice(kept ? pagesOf(computed) : 0)) this.#release(page);
    if (!kept) return;
    const same = this.#kept.filter((other) => other.salt === salt);
    const longer = same.find((other) => commonPrefix(other.rows, rows) === computed);
    if (longer) {
      this.#touch(longer);
      for (const page of pages) this.#release(page);
      return;
    }
    for (const other of same) {
      if (commonPrefix(other.rows, rows) === other.computed) this.#drop(other);
    }
    this.#kept.push(sequence);
  }

  /** Forgets all that is kept, and keeps nothing of the sequences under way. */
  clear(): void {
    for (const sequence of [...this.#kept]) this.#drop(sequence);
    this.#running.clear();
  }

  #touch(sequence: Sequence): void {
    this.#kept = [...this.#kept.filter((other) => other !== sequence), sequence];
  }

  #drop(sequence: Sequence): void {
    this.#kept = this.#kept.filter((other) => other !== sequence);
    for (const page of sequence.pages) this.#release(page);
  }

  /** Takes the last page of the least recently used sequence; others may still hold it. */
  #evict(): void {
    const oldest = this.#kept[0];
    const page = oldest?.pages.pop();
    if (!oldest || page === undefined) {
      throw new RangeError(`PrefixCache: all ${this.#holders.length} pages are in use`);
    }
    this.#release(page);
    oldest.computed = oldest.rows.length = oldest.pages.length * PAGE_TOKENS;
    if (oldest.computed === 0) this.#kept.shift();
  }

  #take(): number {
    while (this.#free.length === 0) this.#evict();
    const page = this.#free.pop() as number;
    this.#holders[page] = 1;
    return page;
  }

  #release(page: number): void {
    const holders = this.#holdersOf(page) - 1;
    this.#holders[page] = holders;
    if (holders === 0) this.#free.push(page);
  }

  /** How many of the rows that are computed another sequence can begin with. */
  #keepable(computed: number): number {
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
