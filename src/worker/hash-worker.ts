import { exposeHashes } from "./hash-service.ts";

/** The script of a worker that hashes files which are downloaded. A page fetches it with the first one. */
exposeHashes();
