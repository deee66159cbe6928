import type { Gpu } from "../gpu/device.ts";
import { bufferOf } from "../gpu/tensor.ts";
import type { Fill, GpuRange } from "./fill.ts";
import { VECTOR, formatKey } from "./packed-key.ts";
import type { PackedStore } from "./packed-store.ts";
import { SEAL_BYTES } from "./seal.ts";

/** Chunks of a bundle, unless a tensor alone takes more: what a kill loses at most. */
const BUNDLE_CHUNKS = 8;

/**
 * Stores weights as they lie on the GPU, bundle after bundle, and deletes what is stored of the
 * checkpoint's files that no other weights need. Does nothing where that would save neither room nor the
 * work of putting packed matrices in another order. Memory holds one chunk.
 *
 * Where the checkpoint's files stay, the copy of a matrix that would save nothing of either is left out.
 *
 * It ends early, and breaks nothing, when the disk is full, the GPU is gone or the signal aborts.
 */
export async function storePacked(
  gpu: Gpu,
  all: readonly Fill[],
  packed: PackedStore | undefined,
  signal: AbortSignal,
): Promise<void> {
  const fills = packed?.keepsFiles ? all.filter(isWorthItsRoom) : all;
  const saved = sum(fills.map((fill) => sourceBytes(fill) - packedBytes(fill)));
  const isUseful = saved > 0 || fills.some(({ isRearranged }) => isRearranged);
  if (!packed || !isUseful || !(await packed.isVerified())) return;
  const unlock = await packed.lock({ signal }).catch(() => undefined);
  try {
    const found = await packed.find(new Set(fills.map((fill) => fill.packed.key)));
    const kept = new Set(found.parts.keys());
    const dropUnneeded = await packed.openSources();
    const dropSources = () => {
      const needed = fills.filter((fill) => !kept.has(fill.packed.key));
      return dropUnneeded(needed.flatMap(({ tensors }) => tensors.map(({ info }) => info)));
    };
    // Those of an earlier visit that was killed.
    await dropSources();
    // A matrix may be asked for alone and in a stack.
    const byKey = new Map(fills.map((fill) => [fill.packed.key, fill]));
    const missing = [...byKey.values()].filter((fill) => !kept.has(fill.packed.key));
    for (const bundle of bundlesOf(missing, BUNDLE_CHUNKS * packed.chunkBytes)) {
      const free = await packed.freeBytes();
      if (free !== undefined && free < sum(bundle.map(packedBytes))) return;
      const tensors = bundle.map(({ packed: { key, format, parts } }) => ({
        ...{ key, format: format ? formatKey(format) : VECTOR },
        partBytes: parts.map((ranges) => sum(ranges.map(({ bytes }) => bytes))),
      }));
      const ranges = bundle.flatMap(({ packed: { parts } }) => parts.flat());
      if (!(await packed.write(tensors, readRanges(gpu, ranges, packed.chunkBytes, signal))))
        return;
      for (const { key } of tensors) kept.add(key);
      await dropSources();
    }
  } catch (error) {
    // What was read of a device that is gone counts for nothing: the index of its bundle is not written.
    if (!signal.aborted && !gpu.lost) throw error;
  } finally {
    unlock?.();
  }
}

/** Vectors are small, and lie anywhere in the files. */
function isWorthItsRoom(fill: Fill): boolean {
  const isVector = fill.packed.format === undefined;
  return isVector || fill.isSlow || packedBytes(fill) < sourceBytes(fill);
}

/** Groups fills by the order of their tensors in the files, so that whole chunks of those can go. */
function* bundlesOf(fills: readonly Fill[], mostBytes: number): Generator<readonly Fill[]> {
  const place = ({ tensors: [tensor] }: Fill) => tensor!.info;
  const sorted = [...fills].sort((a, b) => {
    const [one, other] = [place(a), place(b)];
    return one.file === other.file ? one.begin - other.begin : one.file < other.file ? -1 : 1;
  });
  let bundle: Fill[] = [];
  for (const fill of sorted) {
    if (bundle.length > 0 && sum([...bundle, fill].map(packedBytes)) > mostBytes) {
      yield bundle;
      bundle = [];
    }
    bundle.push(fill);
  }
  if (bundle.length > 0) yield bundle;
}

/**
 * Reads ranges on the GPU, one after another, in pieces of `chunkBytes` and a shorter last one; each has
 * room for its hash behind.
 *
 * @throws the signal's reason
 */
export async function* readRanges(
  gpu: Gpu,
  ranges: readonly GpuRange[],
  chunkBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = gpu.buffer("stored weights", chunkBytes, usage);
  try {
    let encoder = gpu.device.createCommandEncoder();
    let filled = 0;
    const flush = async () => {
      gpu.device.queue.submit([encoder.finish()]);
      encoder = gpu.device.createCommandEncoder();
      await staging.mapAsync(GPUMapMode.READ, 0, filled);
      const bytes = new Uint8Array(filled + SEAL_BYTES);
      bytes.set(new Uint8Array(staging.getMappedRange(0, filled)));
      staging.unmap();
      filled = 0;
      signal.throwIfAborted();
      return bytes;
    };
    for (const { tensor, begin, bytes } of ranges) {
      for (let at = 0; at < bytes;) {
        const size = Math.min(bytes - at, chunkBytes - filled);
        encoder.copyBufferToBuffer(bufferOf(tensor), begin + at, staging, filled, size);
        [at, filled] = [at + size, filled + size];
        if (filled === chunkBytes) yield await flush();
      }
    }
    if (filled > 0) yield await flush();
  } finally {
    gpu.release(staging);
  }
}

function sourceBytes({ tensors }: Fill): number {
  return sum(tensors.map(({ info }) => info.end - info.begin));
}

function packedBytes({ packed: { parts } }: Fill): number {
  return sum(parts.flat().map(({ bytes }) => bytes));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
