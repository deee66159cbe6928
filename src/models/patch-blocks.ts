import { type Tensor, reshape } from "../gpu/tensor.ts";
import type { ImageLayout } from "./model.ts";

/** Vision passes are recorded for these numbers of patches times a power of two. */
const BUCKETS = [64, 96];

/**
 * @param block the patches of a block; a bucket holds whole blocks
 * @returns the smallest bucket that holds `patches` patches: 64, 96, 128, 192, 256, 384 ..., each
 *   rounded up to whole blocks
 */
export function patchBucket(patches: number, block = 1): number {
  const scales = BUCKETS.map(
    (bucket) => bucket * 2 ** Math.max(0, Math.ceil(Math.log2(patches / bucket))),
  );
  return Math.ceil(Math.min(...scales) / block) * block;
}

/** The row and column of each patch, block by block. A block has merge x merge patches. */
export function blockOrder(
  { grid: [height, width] }: Pick<ImageLayout, "grid">,
  merge: number,
): { y: number; x: number }[] {
  const patches: { y: number; x: number }[] = [];
  for (let blockY = 0; blockY < height; blockY += merge) {
    for (let blockX = 0; blockX < width; blockX += merge) {
      for (let i = 0; i < merge * merge; i++) {
        patches.push({ y: blockY + Math.floor(i / merge), x: blockX + (i % merge) });
      }
    }
  }
  return patches;
}

/**
 * Puts the patches of each block side by side, as connectors read them.
 *
 * @param x `[P, D]`, block by block
 * @returns `[P / merge², merge² * D]`
 */
export function mergeBlocks(x: Tensor, merge: number): Tensor {
  const [P, D] = x.shape as [number, number];
  return reshape(x, [P / merge ** 2, D * merge ** 2]);
}
