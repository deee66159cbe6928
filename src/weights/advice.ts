import { NEEDED_FILES } from "./folder.ts";
import { HttpError, InterruptedError } from "./retry.ts";
import type { Source } from "./source.ts";

/** @returns an error that says what is wrong with a request and what to do, or `error` itself */
export function withAdvice(source: Source, error: unknown): unknown {
  const { id, repository, folder } = source;
  if (error instanceof InterruptedError) {
    const { host } = new URL(repository?.hub ?? folder);
    return new InterruptedError(
      `${id}: ${host} can't be reached: check that this device is online, and load again. ` +
        `What has arrived is kept (${error.message})`,
      { cause: error },
    );
  }
  if (!(error instanceof HttpError)) return error;
  const advice = repository ? adviceOfHub(source, error) : adviceOfServer(folder, error);
  return new Error(`${id}: ${advice} (${error.message})`, { cause: error });
}

function adviceOfHub({ repository }: Source, error: HttpError): string {
  const { hub, name, revision } = repository!;
  const page = `${hub}/${name}`;
  switch (error.code) {
    case "GatedRepo":
      return `the repository is gated: accept its terms at ${page}, and load it with a \`token\` of that account`;
    case "RepoNotFound":
      return (
        `there is no repository ${name} at ${hub}, or it is private: ` +
        `check the spelling, or load it with a \`token\` of an account that may read it`
      );
    case "RevisionNotFound":
      return `${name} has no revision "${revision}": its branches, tags and commits are at ${page}/refs`;
  }
  if (error.status === 401 || error.status === 403) {
    return (
      `the hub refuses access: the repository is private or gated, or the \`token\` is not valid. ` +
      `Open ${page}, accept its terms, and load it with a \`token\` that may read it`
    );
  }
  return adviceOfServer(page, error);
}

function adviceOfServer(folder: string, { status, waitSeconds }: HttpError): string {
  if (status === 401 || status === 403) return "the server refuses access";
  if (status === 404) {
    return `no transformers checkpoint at ${folder}: it needs ${NEEDED_FILES}`;
  }
  const minutes = Math.ceil((waitSeconds ?? 300) / 60);
  if (status === 429) {
    return (
      `too many requests: the server answers again in about ${minutes} min. Load again then, ` +
      `with a \`token\` if it is a hub, which allows more`
    );
  }
  return status >= 500 ? "the server can't answer at the moment: load again later" : "not read";
}
