import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import * as comlink from "comlink";
import type { SharedFile } from "../platform/platform.ts";
import { type SharedWriter, findShared, writeShared } from "./shared-files.ts";

/** Hashes, and files that sites share, in another worker. */
export interface HashService {
  /**
   * Begins a hash.
   *
   * @param id of the hash, numbered by the caller
   * @param share the file that its bytes are written to for other sites
   */
  begin(id: number, share?: SharedFile): void;
  update(id: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Ends a hash. */
  digest(id: number): Promise<string>;
  findShared(sha256: string): Promise<Blob | undefined>;
}

interface Running {
  readonly hash: ReturnType<typeof sha256.create>;
  readonly share?: SharedFile | undefined;
  readonly writer: Promise<SharedWriter> | undefined;
}

/** Computes hashes for whoever has the other end of `endpoint`. */
export function exposeHashes(endpoint?: comlink.Endpoint): void {
  const all = new Map<number, Running>();
  const service: HashService = {
    begin(id, share) {
      const writer = share && writeShared(share.sha256, share.everyone);
      all.set(id, { hash: sha256.create(), share, writer });
    },
    async update(id, bytes) {
      const { hash, writer } = all.get(id) as Running;
      hash.update(bytes);
      await (await writer)?.write(bytes);
      // The garbage collector would let several chunks pile up. These bytes are this worker's own copy.
      (bytes.buffer as { transfer?(length: number): void }).transfer?.(0);
    },
    async digest(id) {
      const { hash, share, writer } = all.get(id) as Running;
      all.delete(id);
      const hex = bytesToHex(hash.digest());
      await (await writer)?.end(hex === share?.sha256);
      return hex;
    },
    findShared,
  };
  comlink.expose(service, endpoint);
}
