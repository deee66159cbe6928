import type { Sampling } from "../engine/generation.ts";
import type { CheckpointFiles } from "../models/model.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A checkpoint's settings for generation: the defaults of requests. */
export interface GenerationDefaults {
  readonly sampling: Omit<Sampling, "seed">;
  /** Every token that ends an answer. */
  readonly stopTokenIds: readonly number[];
}

interface GenerationConfig {
  readonly do_sample?: boolean;
  readonly temperature?: number | null;
  readonly top_k?: number | null;
  readonly top_p?: number | null;
  readonly min_p?: number | null;
  readonly repetition_penalty?: number | null;
  readonly eos_token_id?: number | readonly number[] | null;
}

interface Config {
  readonly eos_token_id?: number | readonly number[] | null;
  readonly text_config?: Config;
}

/** What transformers samples from where generation_config.json has `do_sample` and no `top_k`. */
const TOP_K = 50;

/**
 * Reads generation_config.json as Hugging Face does: without `do_sample` sampling is greedy, and
 * `repetition_penalty` applies either way.
 *
 * An answer ends at any end-of-sequence token of generation_config.json, config.json or the
 * tokenizer, and at the special token that the chat template writes after an answer. The one of
 * `text_config` counts only if neither file has another, since it is often left at the default of its
 * class.
 *
 * @param afterAnswer what the chat template writes between an answer and the next message
 */
export function generationDefaults(
  files: CheckpointFiles,
  tokenizer: Tokenizer,
  afterAnswer = "",
): GenerationDefaults {
  const generation = (files["generation_config.json"] ?? {}) as GenerationConfig;
  const config = (files["config.json"] ?? {}) as Config;
  const named = [...idList(generation.eos_token_id), ...idList(config.eos_token_id)];
  const ids = named.length > 0 ? named : idList(config.text_config?.eos_token_id);
  const isSampled = generation.do_sample === true;
  const { eos_token: eos } = tokenizer.namedTokens;
  const tokenizerEos = eos === undefined ? undefined : tokenizer.id(eos);
  return {
    sampling: {
      temperature: isSampled ? (generation.temperature ?? 1) : 0,
      topK: generation.top_k ?? (isSampled ? TOP_K : 0),
      topP: generation.top_p ?? 1,
      minP: generation.min_p ?? 0,
      repetitionPenalty: generation.repetition_penalty ?? 1,
    },
    stopTokenIds: [
      ...new Set([...ids, ...idList(tokenizerEos), ...idList(endOfTurn(tokenizer, afterAnswer))]),
    ],
  };
}

/** @returns the special token that `text` begins with, apart from blanks */
function endOfTurn(tokenizer: Tokenizer, text: string): number | undefined {
  const [first] = tokenizer.encode(text.trimStart(), { addSpecialTokens: false });
  return first !== undefined && tokenizer.isSpecial(first) ? first : undefined;
}

function idList(ids: number | readonly number[] | null | undefined): readonly number[] {
  return typeof ids === "number" ? [ids] : (ids ?? []);
}
