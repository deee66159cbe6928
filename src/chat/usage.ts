/**
 * Token counts of an answer under way: those of the prompt hold from the first delta on, the others
 * grow as the deltas are read. Choices are counted together, their prompt once.
 */
export interface AnswerUsage {
  readonly promptTokens: number;
  /** Of the prompt's tokens, those that stand for image rows. */
  readonly imageTokens: number;
  /** Of the prompt's tokens, those whose keys and values were there already. */
  readonly cachedTokens: number;
  /** Stopping tokens included. */
  readonly completionTokens: number;
  /** Of the completion's tokens, those of reasoning spans. */
  readonly reasoningTokens: number;
}
