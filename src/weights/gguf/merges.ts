/**
 * The merges of byte-pair encoding that give SentencePiece's tokens, as transformers derives them: each
 * token is merged of every pair of tokens that it can be cut into. Tokens with higher scores come
 * first, and of those with equal scores the pairs with the longer left token.
 *
 * @param vocab ids by token
 * @param scoreOf by id
 */
export function mergesOf(
  vocab: Readonly<Record<string, number>>,
  scoreOf: (id: number) => number,
): [left: string, right: string][] {
  // An object puts keys that look like numbers first.
  const entries = Object.entries(vocab).sort(([, a], [, b]) => a - b);
  const ids = new Map(entries);
  const byScore = entries
    .map(([token, id]) => ({ token, score: scoreOf(id) }))
    .sort((a, b) => b.score - a.score);
  const merges: Merge[] = [];
  for (let begin = 0; begin < byScore.length;) {
    const { score } = byScore[begin]!;
    const group: Merge[] = [];
    for (; byScore[begin]?.score === score; begin++) {
      group.push(...pairsOf(byScore[begin]!.token, ids));
    }
    group.sort((a, b) => b.length - a.length || b.rest - a.rest);
    for (const merge of group) merges.push(merge);
  }
  return merges.map(({ left, right }) => [left, right]);
}

interface Merge {
  readonly left: string;
  readonly right: string;
  /** Characters of the left and of the right token. */
  readonly length: number;
  readonly rest: number;
}

/** The pairs of tokens that a token can be cut into, in the order of their ids. */
function pairsOf(token: string, ids: ReadonlyMap<string, number>): Merge[] {
  const pairs: Merge[] = [];
  const characters = [...token].length;
  let length = 0;
  for (let at = 0; at < token.length;) {
    at += token.codePointAt(at)! > 0xffff ? 2 : 1;
    length++;
    const left = token.slice(0, at);
    const right = token.slice(at);
    if (ids.has(left) && ids.has(right)) {
      pairs.push({ left, right, length, rest: characters - length });
    }
  }
  const id = (part: string) => ids.get(part)!;
  if (pairs.length < 2) return pairs;
  return pairs.sort((a, b) => id(a.left) - id(b.left) || id(a.right) - id(b.right));
}
