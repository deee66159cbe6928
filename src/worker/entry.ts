import { browserPlatform } from "../platform/browser.ts";
import { serveHost } from "./host.ts";
import { serveModel } from "./load.ts";

/** What the worker runs. */
serveHost((source, options, onProgress, signal) =>
  serveModel(source, options, browserPlatform, onProgress, signal),
);
