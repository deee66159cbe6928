/**
 * Calls back at the first SIGINT or SIGTERM. The second signal isn't handled, so it ends the process at
 * once, even while the GPU works.
 */
export function onSignals(first: (signal: NodeJS.Signals) => void): void {
  const handle = (signal: NodeJS.Signals): void => {
    process.off("SIGINT", handle).off("SIGTERM", handle);
    first(signal);
  };
  process.on("SIGINT", handle).on("SIGTERM", handle);
}
