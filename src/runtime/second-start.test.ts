import { expect, test } from "vitest";
import { publishedRepository } from "../../tests/published-repositories.ts";
import { createModel } from "../models/registry.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { PackedStore } from "../weights/packed-store.ts";
import type { TensorInfo } from "../weights/safetensors.ts";
import { SEAL_BYTES } from "../weights/seal.ts";
import { planAuto } from "./plan-auto.ts";

const NAME = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct";
const CHUNK = 8 << 20;

/** A store that keeps where tensors are, and none of their bytes. */
function sizesOnly(): PackedStore {
  const parts = new Map<string, readonly TensorInfo[]>();
  let bundles = 0;
  return {
    chunkBytes: CHUNK,
    keepsFiles: false,
    find: async () => ({ parts, otherFormats: [] }),
    async *stream() {},
    async write(tensors) {
      const file = `packed:${bundles++}`;
      let end = 0;
      for (const { key, partBytes } of tensors) {
        const infos = partBytes.map((bytes) => {
          const begin = end;
          end += bytes;
          return { dtype: "U32", shape: [bytes / 4], file, begin, end };
        });
        parts.set(key, infos);
      }
      return true;
    },
    drop: async () => {},
    openSources: async () => async () => {},
    isVerified: async () => true,
    freeBytes: async () => undefined,
    lock: async () => undefined,
  };
}

test("SmolVLM2-500M's second start reads at most 0.6 GB, and nothing of the checkpoint's files", async () => {
  const { checkpoint } = publishedRepository(NAME);
  expect(checkpoint.weightBytes).toBeGreaterThan(1e9);
  const packed = sizesOnly();
  const start = async () => (await planAuto(createModel, checkpoint, {})).recorded.weights;
  await (await start()).store({ packed }, new AbortController().signal);

  let wanted: readonly { readonly file: string; readonly begin: number; readonly end: number }[] =
    [];
  const stream: Checkpoint["stream"] = async function* (options) {
    wanted = options?.wanted ?? [];
  };
  // No byte comes, so it fails once it has said what it wants.
  await expect((await start()).load({ packed, stream })).rejects.toThrow("got 0 rows");
  expect(wanted.filter(({ file }) => !file.startsWith("packed:"))).toEqual([]);
  const ends = new Map<string, number>();
  for (const { file, end } of wanted) ends.set(file, Math.max(end, ends.get(file) ?? 0));
  let bytes = 0;
  for (const end of ends.values()) bytes += end + Math.ceil(end / CHUNK) * SEAL_BYTES;
  expect(bytes).toBeGreaterThan(0.5e9);
  expect(bytes).toBeLessThan(0.6e9);
});
