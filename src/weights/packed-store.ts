import type { LockOptions } from "../platform/platform.ts";
import {
  type Manifest,
  type WeightCache,
  bundleKey,
  chunkRange,
  partKey,
  shortHash,
  usedKey,
  weightsTag,
} from "./cache.ts";
import type { ByteRange } from "./fetch-chunks.ts";
import { WEIGHT_FORMATS } from "./formats/registry.ts";
import { inOrder } from "./in-order.ts";
import { VECTOR, formatKey, formatOfKey } from "./packed-key.ts";
import type { TensorInfo } from "./safetensors.ts";
import { SEAL_BYTES, seal, unseal } from "./seal.ts";
import type { StreamWeightsOptions } from "./stream-weights.ts";
import type { Piece } from "./weight-file.ts";

/** What is stored of a checkpoint in the form in which it lies on the GPU. */
export interface PackedStore {
  /** Bundles are stored and read in chunks of this size. */
  readonly chunkBytes: number;
  /** Whether the checkpoint's files stay, whatever is stored. */
  readonly keepsFiles: boolean;
  /**
   * Finds the bundles of which all tensors are wanted. Others are of other formats, and may have to give
   * way to this one, so that nothing of them is used.
   *
   * @param wanted keys as in `PackedFill`
   */
  find(wanted: ReadonlySet<string>): Promise<PackedTensors>;
  /**
   * Reads bytes of bundles.
   *
   * @throws DamagedBundleError, the signal's reason
   */
  stream(
    wanted: readonly (ByteRange & { readonly file: string })[],
    signal?: AbortSignal,
  ): AsyncGenerator<Piece, void, void>;
  /**
   * Stores a bundle of tensors. It counts once all of it is stored.
   *
   * @param bytes yields the tensors' parts, one after another, in pieces of `chunkBytes`, each with room
   *   for its hash
   * @returns whether it is stored
   */
  write(
    tensors: readonly PackedTensor[],
    bytes: AsyncIterable<Uint8Array<ArrayBuffer>>,
  ): Promise<boolean>;
  /** Deletes bundles: those that `drop` is true for. */
  drop(drop: (bundle: string) => boolean): Promise<void>;
  /**
   * Lists the stored chunks of the checkpoint's files.
   *
   * @returns what deletes those of them that have no byte of `needed`
   */
  openSources(): Promise<(needed: readonly TensorInfo[]) => Promise<void>>;
  /** Whether what was loaded was compared with the hashes of its files, as far as they are known. */
  isVerified(): Promise<boolean>;
  freeBytes(): Promise<number | undefined>;
  /**
   * As `ByteStore.lock`. One at a time stores bundles, and deletes what they replace; meanwhile nobody
   * loads. Those that load share the lock.
   *
   * @returns undefined where nothing can be locked
   */
  lock(options: LockOptions): Promise<(() => void) | undefined>;
}

/** What a store has. */
export interface PackedTensors {
  /** Where the parts of each tensor are, by its key; `file` names a bundle. */
  readonly parts: ReadonlyMap<string, readonly TensorInfo[]>;
  /** The names of formats in other bundles. */
  readonly otherFormats: readonly string[];
}

/** A tensor of a bundle. */
export interface PackedTensor {
  /** `PackedFill.key` */
  readonly key: string;
  /** As `formatKey` says it, or "vector". */
  readonly format: string;
  /** Of its parts, which follow each other. */
  readonly partBytes: readonly number[];
}

/** Begins the names of bundles, where others name files. */
const BUNDLE = "packed:";
/** Chunks that are read ahead. */
const READ_AHEAD = 4;

/** A stored bundle is damaged. */
export class DamagedBundleError extends Error {
  override name = "DamagedBundleError";
  readonly bundle: string;

  constructor(bundle: string) {
    super(`stored weights are damaged: ${bundle}`);
    this.bundle = bundle;
  }
}

/** What a bundle has, in order: the bytes of each part, by the tensor's key. */
interface BundleIndex {
  readonly id: string;
  readonly revision?: string | undefined;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

const KNOWN_FORMATS = new Set([VECTOR, ...WEIGHT_FORMATS.map(formatKey)]);

/**
 * The part of a store that keeps a checkpoint's packed weights. They belong to one version of its files.
 *
 * @param options `isVerified`, `chunkBytes` and `keepsFiles` (default false) as in `PackedStore`
 */
export function packedStore(
  cache: WeightCache,
  { id, folder, commit, weights }: Pick<Manifest, "id" | "folder" | "commit" | "weights">,
  {
    isVerified = async () => true,
    chunkBytes = 8 << 20,
    keepsFiles = false,
  }: Partial<Pick<PackedStore, "isVerified" | "chunkBytes" | "keepsFiles">> = {},
): PackedStore {
  let tag: Promise<string> | undefined;
  const ownTag = () => (tag ??= weightsTag(weights));
  /** The keys of this version of the checkpoint, split. */
  const ownKeys = async () => {
    const [own, keys] = [await ownTag(), await cache.keys()];
    return keys
      .map((key) => ({ key, words: key.split(" ") }))
      .filter(({ words }) => words[1] === folder && words[2] === own)
      .map(({ key, words: [kind, , , bundle = "", last = ""] }) => ({ key, kind, bundle, last }));
  };

  /** @returns the chunks of a bundle that are stored, in order */
  const chunksOf = (keys: Awaited<ReturnType<typeof ownKeys>>, bundle: string) =>
    keys
      .filter((one) => one.kind === "part" && one.bundle === bundle)
      .map(({ key, last }) => ({ key, ...chunkRange(last) }))
      .sort((a, b) => a.begin - b.begin);

  return {
    // The GPU copies whole words.
    chunkBytes: chunkBytes - (chunkBytes % 4),
    keepsFiles,
    isVerified: async () => cache.works && (await isVerified()),
    freeBytes: async () => cache.freeBytes?.(),
    lock: async (options) => cache.lock?.(`packed ${folder}`, options),

    async find(wanted) {
      const otherFormats = new Set<string>();
      const keys = await ownKeys();
      const found = new Map<string, readonly TensorInfo[]>();
      // Those that only checkpoints bring are wanted whatever the user asks for.
      const known = new Set([...KNOWN_FORMATS, ...[...wanted].map(formatOfKey)]);
      for (const { key, kind, bundle, last } of keys) {
        if (kind !== "packed") continue;
        const isKnown = last.split(",").every((format) => known.has(format));
        const index = isKnown && parseIndex(await cache.get(key));
        if (!index) {
          await cache.delete([key]);
          continue;
        }
        const infos = positionsOf(index, BUNDLE + bundle);
        let end = 0;
        for (const chunk of chunksOf(keys, bundle)) if (chunk.begin === end) end = chunk.end;
        const whole = end === (infos.at(-1)?.[1].at(-1)?.end ?? 0);
        if (!whole) continue;
        if (infos.every(([tensor]) => wanted.has(tensor))) {
          for (const [tensor, info] of infos) found.set(tensor, info);
        } else {
          for (const format of formatNames(last)) otherFormats.add(format);
        }
      }
      if (found.size > 0) await cache.set(usedKey(folder), utf8(`${Date.now()}`));
      return { parts: found, otherFormats: [...otherFormats] };
    },

    async *stream(wanted, signal) {
      const keys = await ownKeys();
      for (const file of new Set(wanted.map(({ file }) => file))) {
        const ranges = wanted.filter((range) => range.file === file);
        const needed = chunksOf(keys, file.slice(BUNDLE.length)).filter(({ begin, end }) =>
          ranges.some((range) => range.begin < end && begin < range.end),
        );
        const read = async ({ key, begin, end }: (typeof needed)[number]): Promise<Piece> => {
          const sealed = await cache.get(key);
          const isWhole = sealed?.length === end - begin + SEAL_BYTES;
          const bytes = isWhole ? await unseal(sealed) : undefined;
          if (!bytes) throw new DamagedBundleError(file);
          return { file, begin, bytes, network: false };
        };
        yield* inOrder(needed, READ_AHEAD, read, signal);
      }
    },

    async write(tensors, bytes) {
      const index: BundleIndex = {
        ...{ id, revision: commit },
        tensors: Object.fromEntries(tensors.map(({ key, partBytes }) => [key, partBytes])),
      };
      const json = utf8(JSON.stringify(index));
      const [own, bundle] = [await ownTag(), await shortHash(json)];
      let begin = 0;
      for await (const sealed of bytes) {
        await seal(sealed);
        const end = begin + sealed.length - SEAL_BYTES;
        await cache.set(partKey(folder, own, bundle, { begin, end }), sealed);
        begin = end;
      }
      // Last, so that a bundle of which chunks are missing is never read.
      const formats = [...new Set(tensors.map(({ format }) => format))].sort().join();
      await cache.set(bundleKey(folder, own, bundle, formats), json);
      return cache.works;
    },

    async drop(drop) {
      const keys = (await ownKeys()).filter(({ kind }) => kind === "packed" || kind === "part");
      await cache.delete(keys.filter(({ bundle }) => drop(BUNDLE + bundle)).map(({ key }) => key));
    },

    async openSources() {
      let chunks = (await cache.keys()).flatMap((key) => {
        const [kind, of, name = "", , range = ""] = key.split(" ");
        if (kind !== "chunk" || of !== folder) return [];
        return { key, file: decodeURIComponent(name), ...chunkRange(range) };
      });
      return async (needed) => {
        const isNeeded = ({ file, begin, end }: ByteRange & { readonly file: string }) =>
          needed.some((one) => one.file === file && one.begin < end && begin < one.end);
        const unneeded = chunks.filter((chunk) => !isNeeded(chunk));
        chunks = chunks.filter(isNeeded);
        await cache.delete(unneeded.map(({ key }) => key));
      };
    },
  };
}

/**
 * Reads bundles, and then the checkpoint's own files.
 *
 * @param rest reads those, even if nothing of them is wanted
 */
export async function* streamPacked(
  packed: PackedStore | undefined,
  rest: (options: StreamWeightsOptions) => AsyncIterable<Piece>,
  options: StreamWeightsOptions,
): AsyncGenerator<Piece, void, void> {
  const { wanted, signal } = options;
  const bundles = wanted?.filter(({ file }) => file.startsWith(BUNDLE)) ?? [];
  if (packed && bundles.length > 0) yield* packed.stream(bundles, signal);
  const used = new Set(bundles.map(({ file }) => file));
  const own = wanted?.filter(({ file }) => !used.has(file));
  yield* rest({ ...options, wanted: own, makeRoom: () => packed?.drop((one) => !used.has(one)) });
}

/** @returns the positions of each tensor's parts in a bundle, in order */
function positionsOf(
  { tensors }: BundleIndex,
  bundle: string,
): (readonly [key: string, parts: readonly TensorInfo[]])[] {
  let position = 0;
  return Object.entries(tensors).map(([key, parts]) => [
    key,
    parts.map((bytes) => {
      const begin = position;
      position += bytes;
      return { dtype: "U32", shape: [bytes / 4], file: bundle, begin, end: position };
    }),
  ]);
}

/** @returns undefined when an index is missing or damaged */
export function parseIndex(bytes: Uint8Array | undefined): BundleIndex | undefined {
  try {
    return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as BundleIndex);
  } catch {
    return undefined;
  }
}

const utf8 = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

/** @returns the names of the formats at the end of a bundle's key, without versions and vectors */
export function formatNames(formats: string): string[] {
  return formats.split(",").flatMap((key) => (key === VECTOR ? [] : key.replace(/\.\d+$/, "")));
}
