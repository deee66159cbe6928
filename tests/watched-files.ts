import type { CheckpointFiles } from "../src/models/model.ts";

/** A field of a file that has another value, or is left out. */
export interface FieldChange {
  readonly file: string;
  /** The path within the file, as in "text_config.hidden_size". */
  readonly field: string;
  /** Absent where the field is left out. */
  readonly value?: unknown;
}

/** JSON files that remember which of their fields were read. */
export interface WatchedFiles {
  readonly files: CheckpointFiles;
  /** Whether anything that was read differs after a change. */
  wasRead(change: FieldChange): boolean;
}

/** Watches files. Two runs that read the same do the same, so what was not read may change. */
export function watchedFiles(files: CheckpointFiles): WatchedFiles {
  const read = new Set<string>();
  const views = new Map<unknown, unknown>();

  /** @param path of `value`: file and fields, joined by newlines */
  const view = (value: unknown, path: string): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const made =
      views.get(value) ??
      new Proxy(value, {
        get(target, key) {
          const own = Reflect.get(target, key) as unknown;
          if (typeof key === "symbol") return own;
          read.add(`${path}\n${key}`);
          return Object.hasOwn(target, key) ? view(own, `${path}\n${key}`) : own;
        },
        has(target, key) {
          read.add(`${path}\n${String(key)}`);
          return Reflect.has(target, key);
        },
        ownKeys(target) {
          read.add(`${path}\n*`);
          return Reflect.ownKeys(target);
        },
        getOwnPropertyDescriptor(target, key) {
          read.add(`${path}\n${String(key)}`);
          return Reflect.getOwnPropertyDescriptor(target, key);
        },
      });
    views.set(value, made);
    return made;
  };

  return {
    files: view(files, "") as CheckpointFiles,
    wasRead({ file, field, ...change }) {
      const steps = [file, ...field.split(".")];
      let own: unknown = files;
      let parent = "";
      for (const [i, step] of steps.entries()) {
        const part = (own as Readonly<Record<string, unknown>>)[step];
        const wasRead = read.has(`${parent}\n${step}`);
        if (i === steps.length - 1 || typeof part !== "object" || part === null) {
          // A list of an object's fields changes where one is added or left out.
          const isListed = part === undefined || !("value" in change);
          return wasRead || (isListed && read.has(`${parent}\n*`));
        }
        if (!wasRead) return false;
        [own, parent] = [part, `${parent}\n${step}`];
      }
      return true;
    },
  };
}
