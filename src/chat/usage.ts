/**
 * Token counts of a running answer. The counts of the prompt are final from the first delta on; the
 * others grow as the deltas are read. All choices are counted together, their prompt once.
 */
export interface AnswerUsage {
  readonly promptTokens: number;
  /** Prompt tokens that stand for image embeddings. */
  readonly imageTokens: number;
  /** Prompt tokens whose keys and values were in the prefix cache. */
  readonly cachedTokens: number;
  /** Generated tokens, stop tokens included. */
  readonly completionTokens: number;
  /** Generated tokens of `<think>` blocks, the tags included. */
  readonly reasoningTokens: number;
}

/** Counts the tokens of one answer. */
export class UsageCounter implements AnswerUsage {
  readonly promptTokens: number;
  readonly imageTokens: number;
  cachedTokens = 0;
  completionTokens = 0;
  reasoningTokens = 0;

  constructor(prompt: { readonly ids: readonly number[]; readonly imageTokens: number }) {
    this.promptTokens = prompt.ids.length;
    this.imageTokens = prompt.imageTokens;
  }

  /** Counts one generated token. */
  countToken(isReasoning: boolean): void {
    this.completionTokens++;
    if (isReasoning) this.reasoningTokens++;
  }
}

/** The counts of several answers together. */
export function totalUsage(usages: readonly AnswerUsage[]): AnswerUsage {
  const total = (count: keyof AnswerUsage) => usages.reduce((sum, usage) => sum + usage[count], 0);
  return {
    promptTokens: total("promptTokens"),
    imageTokens: total("imageTokens"),
    cachedTokens: total("cachedTokens"),
    completionTokens: total("completionTokens"),
    reasoningTokens: total("reasoningTokens"),
  };
}
