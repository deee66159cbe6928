import { isGguf } from "./gguf-names.ts";

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
  /**
   * URL of the folder. It ends in "/", or in "/" and a query. Where some GGUF files of the folder are
   * meant, a fragment says which, so that the store keeps them apart.
   */
  readonly folder: string;
  readonly repository?: Repository;
  /** Which GGUF files of the folder are meant; undefined for a checkpoint in safetensors. */
  readonly gguf?: GgufChoice;
}

/** Chooses a GGUF file of a folder. */
export interface GgufChoice {
  /** The end of a file's name that says how its matrices are stored, such as "Q4_K_M". */
  readonly tag?: string;
  /** The file itself, by its path in the folder. */
  readonly file?: string;
  /** The file with the vision tower, if it is known. */
  readonly mmproj?: string;
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
 * repository. A GGUF file is meant by `org/name:Q4_K_M`, `org/name@revision:Q4_K_M`, or by its own URL
 * or path.
 *
 * @throws Error that lists the accepted forms, when `source` has none of them
 */
export function resolveSource(source: string, options: ResolveOptions = {}): Source {
  const hub = (options.hub ?? DEFAULT_HUB).replace(/\/+$/, "");
  const revision = options.revision ?? "main";
  const text = source.trim();
  if (/^https?:\/\//i.test(text)) {
    const url = parseUrl(text, source);
    const page = hubPage(url, hub, revision);
    return page ? hubSource(page.repository, page.gguf) : folderSource(url);
  }
  if (/^(\/|\.\.?\/|\.$)/.test(text)) {
    if (!options.base) throw new Error(`resolveSource: the path "${source}" needs a base URL`);
    return folderSource(new URL(text, options.base));
  }
  const [, address = text, tag] = /^([^:]+):([\w.-]+)$/.exec(text) ?? [];
  const [name = "", named] = split(address, "@");
  if (!NAME.test(name) || named === "" || /[\s:]/.test(named ?? "")) throw unknownForm(source);
  const repository = { hub, name, revision: named ?? revision };
  return hubSource(repository, tag === undefined ? undefined : { tag });
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
  url.hash = "";
  return url.href;
}

function unknownForm(source: string): Error {
  return new Error(
    `resolveSource: "${source}" is none of "org/name", "org/name@revision", "org/name:Q4_K_M", ` +
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

function hubSource(repository: Repository, gguf?: GgufChoice): Source {
  const { name } = repository;
  const folder = hubFolder(repository);
  if (!gguf) return { id: name, folder, repository };
  const { tag, file = tag ?? "" } = gguf;
  return {
    id: `${name}:${file}`,
    folder: `${folder}#${encodeURIComponent(file)}`,
    repository,
    gguf,
  };
}

function hubFolder({ hub, name, revision }: Repository): string {
  return `${hub}/${name}/resolve/${encodeURIComponent(revision)}/`;
}

function folderSource(url: URL): Source {
  url.hash = "";
  const last = url.pathname.split("/").at(-1) ?? "";
  if (isGguf(last)) return fileSource(url, last);
  url.pathname = url.pathname.replace(/\/+$/, "").replace(/\/[^/]+\.(safetensors|json|html)$/, "");
  const id = decodeURIComponent(url.pathname.split("/").at(-1) || url.hostname);
  url.pathname = url.pathname.replace(/\/?$/, "/");
  return { id, folder: url.href };
}

/** @param name of the GGUF file that `url` is of, as it is written there */
function fileSource(url: URL, name: string): Source {
  url.pathname = url.pathname.slice(0, -name.length);
  url.hash = name;
  const file = decodeURIComponent(name);
  return { id: file.replace(/\.gguf$/i, ""), folder: url.href, gguf: { file } };
}

/** @returns what a page of the hub is about, undefined for any other URL */
function hubPage(
  url: URL,
  hub: string,
  revision: string,
): { repository: Repository; gguf?: GgufChoice } | undefined {
  const own = new URL(hub);
  const isHub = url.host === own.host && url.pathname.startsWith(own.pathname);
  if (!isHub && !HUB_HOSTS.includes(url.host)) return undefined;
  const path = isHub ? url.pathname.slice(own.pathname.length) : url.pathname;
  const [org, name, kind, named, ...rest] = path.split("/").filter(Boolean);
  if (!org || !name || !NAME.test(`${org}/${name}`)) return undefined;
  if (kind && !(["tree", "blob", "resolve", "raw"].includes(kind) && named)) return undefined;
  const file = decodeURIComponent(rest.join("/"));
  return {
    repository: {
      hub: isHub ? hub : DEFAULT_HUB,
      name: `${org}/${name}`,
      revision: named ? decodeURIComponent(named) : revision,
    },
    ...(isGguf(file) && { gguf: { file } }),
  };
}

/** Splits at the first `separator`. */
function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
