import { totalmem } from "node:os";
import { createModel } from "../models/registry.ts";
import { DECODE_CONTEXT } from "../runtime/decode-cost.ts";
import type { RuntimeOptions } from "../runtime/options.ts";
import {
  type GpuPlan,
  PLAN_PARTS,
  type ModelPlan,
  planCheckpoint,
} from "../runtime/plan-checkpoint.ts";
import { QUANTIZATIONS } from "../weights/formats/registry.ts";
import { openModel } from "./open-model.ts";
import { table } from "./table.ts";
import { bytesText } from "./terminal.ts";

export interface InspectCommandOptions extends RuntimeOptions {
  readonly model?: string | undefined;
  readonly json?: boolean | undefined;
}

/**
 * `webvlm inspect`: prints the sizes of a model.
 *
 * @returns the exit code
 * @throws Error when the model can't be read
 */
export async function inspectCommand(options: InspectCommandOptions): Promise<number> {
  const checkpoint = await openModel(options.model, { weights: false });
  const plan = await planCheckpoint(createModel, checkpoint, {
    device: { memoryBytes: totalmem() },
    ...options,
  });
  console.log(options.json ? JSON.stringify(plan, null, 2) : describe(plan));
  return 0;
}

function describe(plan: ModelPlan): string {
  const { id, modelType, storedAs, disk, gpu, decode, contextLength, maxContextLength } = plan;
  const sizes = Object.values(disk);
  const total = (key: "parameters" | "bytes") => sizes.reduce((sum, size) => sum + size[key], 0);
  const onGpu = (bytes: (plan: GpuPlan) => number) =>
    QUANTIZATIONS.map((format) => bytesText(bytes(gpu[format])));

  const rows: string[][] = [
    ["", "parameters", "on disk", ...QUANTIZATIONS],
    ...PLAN_PARTS.map((part) => [
      part,
      countText(disk[part].parameters),
      bytesText(disk[part].bytes),
      ...onGpu(({ weights }) => weights[part]),
    ]),
    ["keys and values", "", "", ...onGpu(({ kvCache }) => kvCache)],
    ["images", "", "", ...onGpu(({ images }) => images)],
    ["buffers", "", "", ...onGpu(({ buffers }) => buffers)],
    [
      "total",
      countText(total("parameters")),
      bytesText(total("bytes")),
      ...onGpu((plan) => plan.total),
    ],
  ];
  const costs = [
    ["", ...QUANTIZATIONS],
    ["dispatches", ...QUANTIZATIONS.map((format) => `${decode[format].dispatches}`)],
    ["bytes read", ...QUANTIZATIONS.map((format) => bytesText(decode[format].bytes))],
  ];
  const images = plan.imageTokens.map(({ width, height, tokens }) => [
    `${width} x ${height}`,
    `${tokens.toLocaleString("en")} tokens`,
  ]);
  const { maxImages } = plan;
  const room = maxImages === undefined ? [] : ["", `A prompt may have up to ${maxImages} images.`];
  const most = maxContextLength.toLocaleString("en");
  return [
    `${id}: ${modelType}, stored as ${storedAs.join(", ")}`,
    "",
    "Weights on disk, and GPU memory for each --quantization:",
    table(rows),
    "",
    `auto: ${plan.auto.reason}.`,
    `Context length: ${contextLength.toLocaleString("en")} tokens. The model's limit is ${most}.`,
    `Keys and values take ${bytesText(plan.kvBytesPerToken)} per token.`,
    "",
    `What the GPU does for a token after ${DECODE_CONTEXT.toLocaleString("en")} others:`,
    table(costs),
    "",
    "Tokens of an image, by its size in pixels:",
    table(images),
    ...room,
  ].join("\n");
}

/** @returns a number of parameters: "6.5 M" */
function countText(count: number): string {
  if (count < 1e6) return count.toLocaleString("en");
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} M` : `${(count / 1e9).toFixed(2)} B`;
}
