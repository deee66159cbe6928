import * as z from "zod/mini";
import type { ReasoningEffort } from "./wire.ts";

export const EFFORTS = [
  "none",
  "minimal",
  "low",
  "medium",
  "high",
  "xhigh",
  "max",
] as const satisfies readonly ReasoningEffort[];

const RANGE = `one of ${EFFORTS.map((word) => `'${word}'`).join(", ")}, or a number from 0 to 0.99`;

/** How much a model should reason: a word, or a fraction of the maximum. */
export const reasoningEffort = z.union(
  [z.enum(EFFORTS), z.number().check(z.refine((n) => n >= 0 && n <= 0.99, RANGE))],
  RANGE,
);

/** The variables that chat templates read an effort from. */
export function effortVariables(
  effort: ReasoningEffort | number | null | undefined,
): Readonly<Record<string, unknown>> {
  if (effort === undefined || effort === null) return {};
  const thinks = effort !== "none" && effort !== 0;
  return { reasoning_effort: effort, enable_thinking: thinks, thinking: thinks };
}
