/**
 * Runs jobs, up to `limit` at a time, and yields their results in the order of the jobs. Memory holds
 * `limit` results besides the one that was yielded.
 *
 * @param run its signal aborts when the iteration is left or fails
 * @throws what `run` throws, once the results before it were yielded; no job is running then
 */
export async function* inOrder<Job, Result>(
  jobs: readonly Job[],
  limit: number,
  run: (job: Job, signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
): AsyncGenerator<Result, void, void> {
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const running: Promise<Result>[] = [];
  let next = 0;
  const start = () => {
    while (running.length < limit && next < jobs.length) {
      const job = run(jobs[next++] as Job, either);
      job.catch(() => {}); // Thrown when its turn comes.
      running.push(job);
    }
  };
  try {
    for (start(); running.length > 0;) {
      const result = await (running[0] as Promise<Result>);
      void running.shift();
      start();
      yield result;
      signal?.throwIfAborted();
    }
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}
