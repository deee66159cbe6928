/**
 * Yields what several generators yield, as it comes. Those that have something take turns.
 *
 * @param stop ends what the generators wait for. It is called when the reader leaves or one of them throws.
 */
export async function* interleaved<T>(
  sources: readonly AsyncGenerator<T, void, void>[],
  stop: () => void,
): AsyncGenerator<T, void, void> {
  type Next = { source: (typeof sources)[number]; result: IteratorResult<T, void> };
  const waiting = new Map<AsyncGenerator<T, void, void>, Promise<Next>>();
  const ask = (source: AsyncGenerator<T, void, void>): void => {
    const next = source.next().then((result) => ({ source, result }));
    next.catch(() => {}); // Reported by the race, unless the reader has left.
    waiting.set(source, next);
  };
  try {
    sources.forEach(ask);
    while (waiting.size > 0) {
      const { source, result } = await Promise.race(waiting.values());
      // Asked again, it comes after the others.
      waiting.delete(source);
      if (result.done) continue;
      yield result.value;
      ask(source);
    }
  } finally {
    stop();
    await Promise.all(sources.map((source) => source.return()));
  }
}
