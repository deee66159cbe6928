/** Bytes of the hash after the bytes of a stored chunk. */
export const SEAL_BYTES = 32;

/** Writes the SHA-256 of the bytes before it to the last 32 bytes. */
export async function seal(sealed: Uint8Array<ArrayBuffer>): Promise<void> {
  const bytes = sealed.subarray(0, -SEAL_BYTES);
  sealed.set(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), bytes.length);
}

/** @returns the bytes without their hash; undefined when it is not theirs, so that they are damaged */
export async function unseal(
  sealed: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (sealed.length < SEAL_BYTES) return undefined;
  const bytes = sealed.subarray(0, -SEAL_BYTES);
  const actual = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return actual.every((byte, i) => byte === sealed[bytes.length + i]) ? bytes : undefined;
}
