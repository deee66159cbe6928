/** A repository of a hub, at a revision. */
export interface Repository {
  readonly hub: string;
  /** `org/name` */
  readonly name: string;
  readonly revision: string;
}

/** Where the files of a checkpoint are. */
export interface Source {
  /** The repository's name, or the last part of the folder's path. */
  readonly id: string;
  /** URL of the folder, ending in "/" (and its query, if it has one). */
  readonly folder: string;
  readonly repository?: Repository;
}

export interface SourceOptions {
  /** Endpoint of the hub; default "https://huggingface.co". */
  readonly hub?: string;
  /** Branch, tag or commit, unless the source names one; default "main". */
  readonly revision?: string;
  /** What a relative path is relative to, usually the page's URL. */
  readonly base?: string;
}

export const DEFAULT_HUB = "https://huggingface.co";
const HUB_HOSTS = ["huggingface.co", "www.huggingface.co", "hf.co"];
const NAME = /^[\w-][\w.-]*\/[\w.-]+$/;

/**
 * Understands `org/name`, `org/name@revision`, the URL of a hub's page, and the URL or path of a
 * folder in Hugging Face's layout. A path starts with "/", "./" or "../"; `models/sample` would be
 * a repository.
 *
 * @throws Error saying what can be given, when it is none of these
 */
export function resolveSource(source: string, options: SourceOptions = {}): Source {
  const hub = (options.hub ?? DEFAULT_HUB).replace(/\/+$/, "");
  const revision = options.revision ?? "main";
  const text = source.trim();
  if (/\.gguf(\?|$)/i.test(text)) {
    throw new Error(`resolveSource: "${source}" is GGUF; give a checkpoint in safetensors instead`);
  }
  if (/^https?:\/\//i.test(text)) {
    const url = parseUrl(text, source);
    const repository = hubPage(url, hub, revision);
    return repository ? hubSource(repository) : folderSource(url);
  }
  if (/^(\/|\.\.?\/|\.$)/.test(text)) {
    if (!options.base) throw new Error(`resolveSource: the path "${source}" needs a base URL`);
    return folderSource(new URL(text, options.base));
  }
  const [name = "", named] = split(text, "@");
  if (!NAME.test(name) || named === "" || /\s/.test(named ?? "")) throw misunderstood(source);
  return hubSource({ hub, name, revision: named ?? revision });
}

/**
 * @param commit read this commit, whatever the revision has become
 * @returns the URL of one of the checkpoint's files
 */
export function fileUrl(source: Source, file: string, commit?: string): string {
  const { repository } = source;
  if (repository && commit) return hubFolder({ ...repository, revision: commit }) + file;
  const url = new URL(source.folder);
  url.pathname += file;
  return url.href;
}

function misunderstood(source: string): Error {
  return new Error(
    `resolveSource: "${source}" is none of "org/name", "org/name@revision", ` +
      `the URL of a folder ("https://…/model") or its path ("/models/sample", "./model")`,
  );
}

function parseUrl(text: string, source: string): URL {
  try {
    return new URL(text);
  } catch {
    throw misunderstood(source);
  }
}

function hubSource(repository: Repository): Source {
  return { id: repository.name, folder: hubFolder(repository), repository };
}

function hubFolder({ hub, name, revision }: Repository): string {
  return `${hub}/${name}/resolve/${encodeURIComponent(revision)}/`;
}

function folderSource(url: URL): Source {
  url.hash = "";
  url.pathname = url.pathname.replace(/\/+$/, "").replace(/\/[^/]+\.(safetensors|json|html)$/, "");
  const id = decodeURIComponent(url.pathname.split("/").at(-1) || url.hostname);
  url.pathname = url.pathname.replace(/\/?$/, "/");
  return { id, folder: url.href };
}

/** The repository that a page of the hub is about. */
function hubPage(url: URL, hub: string, revision: string): Repository | undefined {
  const own = new URL(hub);
  const isHub = url.host === own.host && url.pathname.startsWith(own.pathname);
  if (!isHub && !HUB_HOSTS.includes(url.host)) return undefined;
  const path = isHub ? url.pathname.slice(own.pathname.length) : url.pathname;
  const [org, name, kind, named] = path.split("/").filter(Boolean);
  if (!org || !name || !NAME.test(`${org}/${name}`)) return undefined;
  if (kind && !(["tree", "blob", "resolve", "raw"].includes(kind) && named)) return undefined;
  return {
    hub: isHub ? hub : DEFAULT_HUB,
    name: `${org}/${name}`,
    revision: named ? decodeURIComponent(named) : revision,
  };
}

/** Splits at the first `separator`. */
function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
