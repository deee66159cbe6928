/** A path with its escapes decoded, or as it is where they are broken. */
export function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
