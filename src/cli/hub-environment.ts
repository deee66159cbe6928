import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { cacheHome } from "../platform/node-store.ts";
import { DEFAULT_HUB } from "../weights/source.ts";

/** Settings from the environment variables of the hub's Python client. */
export interface HubEnvironment {
  /** The hub's endpoint: `HF_ENDPOINT`. */
  readonly hub: string;
  /** `HF_TOKEN`, or the token that `hf auth login` stored. */
  readonly token: string | undefined;
  /** The folder of all repositories: `HF_HUB_CACHE`, or "hub" in `HF_HOME`. */
  readonly cache: string;
  /** No network requests: `HF_HUB_OFFLINE`. */
  readonly offline: boolean;
}

export function hubEnvironment(env: NodeJS.ProcessEnv = process.env): HubEnvironment {
  const home = expand(env.HF_HOME) ?? join(cacheHome(), "huggingface");
  const tokenFile = expand(env.HF_TOKEN_PATH) ?? join(home, "token");
  return {
    hub: env.HF_ENDPOINT?.replace(/\/+$/, "") || DEFAULT_HUB,
    token: (env.HF_TOKEN ?? env.HUGGING_FACE_HUB_TOKEN ?? read(tokenFile))?.trim() || undefined,
    cache: expand(env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE) ?? join(home, "hub"),
    offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ""),
  };
}

/** Expands `~`, as the Python client does. A shell doesn't expand it everywhere. */
function expand(path: string | undefined): string | undefined {
  return path?.replace(/^~(?=$|\/|\\)/, homedir()) || undefined;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
