import type { Sampling } from "../engine/generation.ts";
import type { CheckpointFiles } from "../models/model.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type ForbiddenTokens, forbidsTokens } from "./forbidden-tokens.ts";

/** A checkpoint's settings for generation: the defaults of requests. */
export interface GenerationDefaults {
  readonly sampling: Omit<Sampling, "seed">;
  /** Every token that ends an answer. */
  readonly stopTokenIds: readonly number[];
  /** Tokens of an answer whose request names no length. Default: what the context has room for. */
  readonly maxNewTokens?: number;
  /** Tokens of prompt and answer together, if `maxNewTokens` is absent. */
  readonly maxLength?: number;
  /** Absent where every token may come. */
  readonly forbidden?: ForbiddenTokens;
}

interface GenerationConfig extends ForbiddenTokens {
  readonly do_sample?: boolean;
  readonly max_new_tokens?: number | null;
  readonly max_length?: number | null;
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

/**
 * Settings of generation_config.json that change answers in the reference and are not supported, with
 * the values that change nothing. `null` changes nothing either.
 */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  sequence_bias: [],
  encoder_repetition_penalty: [1],
  encoder_no_repeat_ngram_size: [0],
  exponential_decay_length_penalty: [],
  forced_eos_token_id: [],
  forced_decoder_ids: [],
  force_words_ids: [],
  constraints: [],
  num_beams: [1],
  num_beam_groups: [1],
  diversity_penalty: [0],
  penalty_alpha: [0],
  guidance_scale: [1],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  min_length: [0],
  min_new_tokens: [0],
  stop_strings: [],
  num_return_sequences: [1],
  top_h: [],
  dola_layers: [],
  assistant_early_exit: [],
  watermarking_config: [],
};

/** What transformers samples from where generation_config.json has `do_sample` and no `top_k`. */
const TOP_K = 50;

/**
 * Reads generation_config.json as Hugging Face does: without `do_sample` sampling is greedy, and
 * `repetition_penalty` applies either way.
 *
 * An answer ends at any end-of-sequence token of generation_config.json and of the tokenizer, and at the
 * special token that the chat template writes after an answer. Those of config.json count only if
 * generation_config.json has none, and those of `text_config` only if neither has.
 *
 * @param afterAnswer what the chat template writes between an answer and the next message
 * @throws Error naming a setting that is not supported
 */
export function generationDefaults(
  files: CheckpointFiles,
  tokenizer: Tokenizer,
  afterAnswer = "",
): GenerationDefaults {
  const generation = (files["generation_config.json"] ?? {}) as GenerationConfig;
  checkSupported(generation);
  const config = (files["config.json"] ?? {}) as Config;
  const places = [generation, config, config.text_config];
  const ids = places.map((place) => idList(place?.eos_token_id)).find(({ length }) => length > 0);
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
    ...(generation.max_new_tokens && { maxNewTokens: generation.max_new_tokens }),
    ...(generation.max_length && { maxLength: generation.max_length }),
    ...(forbidsTokens(generation) && { forbidden: forbiddenOf(generation) }),
    stopTokenIds: [
      ...new Set([
        ...(ids ?? []),
        ...idList(tokenizerEos),
        ...idList(endOfTurn(tokenizer, afterAnswer)),
      ]),
    ],
  };
}

function forbiddenOf(generation: ForbiddenTokens): ForbiddenTokens {
  const { suppress_tokens, begin_suppress_tokens, bad_words_ids, no_repeat_ngram_size } =
    generation;
  return { suppress_tokens, begin_suppress_tokens, bad_words_ids, no_repeat_ngram_size };
}

function checkSupported(generation: object): void {
  for (const [name, value] of Object.entries(generation)) {
    const neutral = UNSUPPORTED[name];
    if (!neutral || value === null || neutral.includes(value)) continue;
    const expected = [...neutral, null].map((one) => JSON.stringify(one)).join(" or ");
    throw new Error(
      `generation_config.json: ${name} is ${JSON.stringify(value).slice(0, 100)}, expected ${expected}`,
    );
  }
}

/** @returns the special token that `text` begins with, apart from blanks */
function endOfTurn(tokenizer: Tokenizer, text: string): number | undefined {
  const [first] = tokenizer.encode(text.trimStart(), { addSpecialTokens: false });
  return first !== undefined && tokenizer.isSpecial(first) ? first : undefined;
}

function idList(ids: number | readonly number[] | null | undefined): readonly number[] {
  return typeof ids === "number" ? [ids] : (ids ?? []);
}
