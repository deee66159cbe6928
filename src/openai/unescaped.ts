/** Decodes the percent escapes of a path; returns it unchanged if they are malformed. */
export function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
