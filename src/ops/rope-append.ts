import noNorm from "../../shaders/heads/no-norm.wgsl?raw";
import rmsNorm from "../../shaders/heads/rms-norm.wgsl?raw";
import rotation from "../../shaders/lib/rope.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import sinCos from "../../shaders/lib/sin-cos.wgsl?raw";
import normShader from "../../shaders/rope-append-norm.wgsl?raw";
import shader from "../../shaders/rope-append.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { type LayerCache, keptCode } from "./cache.ts";
import { fold } from "./grid.ts";

/** The heads of an attention layer. */
export interface Heads {
  /** Query heads. */
  readonly H: number;
  /** Key/value heads. */
  readonly K: number;
  /** Channels per head. */
  readonly C: number;
}

/** How RoPE rotates the channel pairs (c, c + C/2) of a head. */
export interface Rope {
  /** `[C / 2]`, radians per position. Every RoPE scaling scheme is data here. */
  readonly inverseFrequencies: Tensor;
  /** `[C / 2]` u32, the position in `Row.rope` that rotates a pair: 0, 1 or 2. All 0 for 1-D RoPE. */
  readonly axes: Tensor;
}

/** RMSNorm of each query and key head before the rotation. Both weights must be given, or neither. */
export interface HeadNorms {
  /** `[C]` */
  readonly qNorm?: Tensor;
  /** `[C]` */
  readonly kNorm?: Tensor;
  /** Default 1e-6. */
  readonly eps?: number;
  /** Added to both weights. 1 for checkpoints that store weight - 1, as Gemma's do. Default 0. */
  readonly offset?: 0 | 1;
}

/** Buffers that rope-append.wgsl binds when it norms heads. WebGPU guarantees only 8. */
const BUFFERS_WITH_NORMS = 10;

/**
 * Rotates queries and keys by RoPE, and writes keys and values to the cache at each row's position. A
 * row whose position is `NOWHERE` writes none.
 *
 * @param rows `[T, ROW_WORDS]` u32
 * @param qkv `[T, (H + 2K) * C]`: queries, keys, values; C a multiple of 8
 * @returns the rotated queries `[T, H * C]`
 * @throws TypeError when the shapes don't fit, or one norm comes without the other
 */
export function ropeAppend(
  g: Graph,
  rows: Tensor,
  qkv: Tensor,
  rope: Rope,
  cache: LayerCache,
  heads: Heads,
  norms: HeadNorms = {},
): Tensor {
  checkRope("ropeAppend", rows, qkv, rope, heads);
  const { H, K, C } = heads;
  const [T] = qkv.shape as [number];
  const { keys, values, pageTable } = cache;
  const [, maxPages] = pageTable.shape as [number, number];
  const kept = keptCode("ropeAppend", cache, K * C);
  let norm = normGroup(norms, C);
  const { maxStorageBuffersPerShaderStage } = g.gpu.device.limits;
  if (norm && maxStorageBuffersPerShaderStage < BUFFERS_WITH_NORMS) {
    qkv = normHeads(g, qkv, heads, norm);
    norm = undefined;
  }
  const q = g.scratch([T, H * C], "rope-append");
  g.dispatch(
    {
      name: "rope-append",
      code: shader + kept + rotation + row + sinCos + (norm ? rmsNorm : noNorm),
      constants: { H, K, C, MAX_PAGES: maxPages, ...norm?.constants },
    },
    [
      [rows, qkv, rope.inverseFrequencies, rope.axes, pageTable, q, keys, values],
      ...(norm ? [norm.weights] : []),
    ],
    fold(Math.ceil((T * (H + 2 * K) * (C / 8)) / 64)),
  );
  return q;
}

/** What heads/rms-norm.wgsl binds. */
interface NormGroup {
  readonly weights: readonly [qNorm: Tensor, kNorm: Tensor];
  readonly constants: Readonly<Record<string, number>>;
}

/** @returns `qkv` with its query and key heads normed, by a separate dispatch */
function normHeads(g: Graph, qkv: Tensor, { H, K, C }: Heads, norm: NormGroup): Tensor {
  const y = g.scratch(qkv.shape, "rope-append norm");
  g.dispatch(
    {
      name: "rope-append-norm",
      code: normShader + rmsNorm,
      constants: { H, K, C, ...norm.constants },
    },
    [[qkv, y], norm.weights],
    fold(Math.ceil(elementCount(qkv.shape) / 4 / 64)),
  );
  return y;
}

function normGroup(
  { qNorm, kNorm, eps = 1e-6, offset = 0 }: HeadNorms,
  C: number,
): NormGroup | undefined {
  if (!qNorm && !kNorm) return undefined;
  if (!qNorm || !kNorm) {
    const [given, missing] = qNorm ? ["qNorm", "kNorm"] : ["kNorm", "qNorm"];
    throw new TypeError(`ropeAppend: ${given} without ${missing}, expected both or neither`);
  }
  if (elementCount(qNorm.shape) !== C || elementCount(kNorm.shape) !== C) {
    throw new TypeError(
      `ropeAppend: qNorm is [${qNorm.shape}] and kNorm [${kNorm.shape}], expected [${C}]`,
    );
  }
  return { weights: [qNorm, kNorm], constants: { EPS: eps, OFFSET: offset } };
}

/**
 * Checks the operands of a rotation.
 *
 * @param caller the op that the error names
 * @throws TypeError when the shapes don't fit
 */
export function checkRope(
  caller: string,
  rows: Tensor,
  qkv: Tensor,
  { inverseFrequencies, axes }: Rope,
  { H, K, C }: Heads,
): void {
  const [T, width] = qkv.shape;
  if (C % 8 !== 0) throw new TypeError(`${caller}: C is ${C}, expected a multiple of 8`);
  if (width !== (H + 2 * K) * C || rows.shape[0] !== T) {
    throw new TypeError(
      `${caller}: qkv is [${qkv.shape}], expected [${[rows.shape[0], (H + 2 * K) * C]}]`,
    );
  }
  if (elementCount(inverseFrequencies.shape) !== C / 2 || elementCount(axes.shape) !== C / 2) {
    throw new TypeError(
      `${caller}: inverseFrequencies is [${inverseFrequencies.shape}] and axes [${axes.shape}], ` +
        `expected [${C / 2}]`,
    );
  }
}
