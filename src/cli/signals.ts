/**
 * Calls back at the first SIGINT or SIGTERM. The second one does what it does unhandled: it ends the
 * process at once, without freeing what the GPU still works on.
 */
export function onSignals(first: (signal: NodeJS.Signals) => void): void {
  const handle = (signal: NodeJS.Signals): void => {
    process.off("SIGINT", handle).off("SIGTERM", handle);
    first(signal);
  };
  process.on("SIGINT", handle).on("SIGTERM", handle);
}
