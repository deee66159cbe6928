/** A revision of a repository on a hub. */
export interface Repository {
  readonly hub: string;
  /** `org/name` */
  readonly name: string;
  readonly revision: string;
}

/** The folder of a checkpoint's files. */
export interface Source {
  /** The repository's name, or the last part of the folder's path. */
  readonly id: string;
  /** URL of the folder. It ends in "/", or in "/" and a query. */
  readonly folder: string;
  readonly repository?: Repository;
}

export interface ResolveOptions {
  /** Endpoint of the hub. Default "https://huggingface.co". */
  readonly hub?: string;
  /** Branch, tag or commit, if the source does not name one. Default "main". */
  readonly revision?: string;
  /** Base of relative paths, usually the page's URL. */
  readonly base?: string;
}

export const DEFAULT_HUB = "https://huggingface.co";
const HUB_HOSTS = ["huggingface.co", "www.huggingface.co", "hf.co"];
const NAME = /^[\w-][\w.-]*\/[\w.-]+$/;

/**
 * Resolves `org/name`, `org/name@revision`, the URL of a hub's page, and the URL or path of a folder
 * in Hugging Face's layout. A path starts with "/", "./" or "../", because `models/sample` is a
 * repository.
 *
 * @throws Error that lists the accepted forms, when `source` has none of them
 */
export function resolveSource(source: string, options: ResolveOptions = {}): Source {
  const hub = (options.hub ?? DEFAULT_HUB).replace(/\/+$/, "");
  const revision = options.revision ?? "main";
  const text = source.trim();
  if (/\.gguf(\?|$)/i.test(text)) {
    throw new Error(
      `resolveSource: "${source}" is a GGUF file, expected a checkpoint in safetensors`,
    );
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
  if (!NAME.test(name) || named === "" || /\s/.test(named ?? "")) throw unknownForm(source);
  return hubSource({ hub, name, revision: named ?? revision });
}

/**
 * @param commit the commit to read; the revision may name a newer one by now
 * @returns the URL of one of the checkpoint's files
 */
export function fileUrl(source: Source, file: string, commit?: string): string {
  const { repository } = source;
  if (repository && commit) return hubFolder({ ...repository, revision: commit }) + file;
  const url = new URL(source.folder);
  url.pathname += file;
  return url.href;
}

function unknownForm(source: string): Error {
  return new Error(
    `resolveSource: "${source}" is none of "org/name", "org/name@revision", ` +
      `the URL of a folder ("https://…/model") or its path ("/models/sample", "./model")`,
  );
}

function parseUrl(text: string, source: string): URL {
  try {
    return new URL(text);
  } catch {
    throw unknownForm(source);
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

/** @returns the repository of a page of the hub, undefined for any other URL */
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
