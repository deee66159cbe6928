/** The disk has too little room for a model. What was stored before stays. */
class StorageFullError extends Error {
  override name = "StorageFullError";
}

/**
 * @param free bytes that can still be stored; undefined where nothing says it
 * @param advice what would help, as the end of a sentence
 * @throws StorageFullError when `need` bytes don't fit
 */
export function checkRoom(
  id: string,
  need: number,
  free: number | undefined,
  advice: string,
): void {
  if (free === undefined || need <= free) return;
  throw new StorageFullError(
    `${id}: ${gigabytes(need)} are to be stored, and there is room for ${gigabytes(free)}: ${advice}`,
  );
}

function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
