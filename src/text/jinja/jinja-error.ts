/**
 * Thrown when a template is invalid or fails. The message names the construct and, once it is known,
 * the template's line.
 */
export class JinjaError extends Error {
  override name = "JinjaError";
  /** The line of the template, 1 for the first. */
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`);
    this.line = line;
  }
}
