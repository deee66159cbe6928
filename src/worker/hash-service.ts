import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import * as comlink from "comlink";

/** Hashes in another worker. */
export interface HashService {
  /** @param id of the hash, numbered by the caller */
  update(id: number, bytes: Uint8Array): void;
  /** Ends a hash. */
  digest(id: number): string;
}

/** Computes hashes for whoever has the other end of `endpoint`. */
export function exposeHashes(endpoint?: comlink.Endpoint): void {
  const hashes = new Map<number, ReturnType<typeof sha256.create>>();
  const open = (id: number) => {
    const hash = hashes.get(id) ?? sha256.create();
    hashes.set(id, hash);
    return hash;
  };
  const service: HashService = {
    update: (id, bytes) => void open(id).update(bytes),
    digest(id) {
      const hash = bytesToHex(open(id).digest());
      hashes.delete(id);
      return hash;
    },
  };
  comlink.expose(service, endpoint);
}
