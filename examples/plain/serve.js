// Any web server works. Copy the files of dist/lib to your site, and the model unless it comes from a hub.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { port: { type: "string", default: "8080" } } });

/** The folders of the site. The page itself is in this folder. */
const FOLDERS = {
  "/webvlm/": new URL("../../dist/lib/", import.meta.url),
  "/models/": new URL("../../public/models/", import.meta.url),
  "/": new URL("./", import.meta.url),
};

const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
};

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const [prefix, folder] = Object.entries(FOLDERS).find(([prefix]) => pathname.startsWith(prefix));
  const file = new URL(`./${pathname.slice(prefix.length) || "index.html"}`, folder);
  // An escaped slash could leave the folder. `URL` has resolved ".." already.
  if (!file.href.startsWith(folder.href) || /%2f|%5c/i.test(pathname)) {
    response.writeHead(404).end();
    return;
  }
  const body = createReadStream(file);
  body.on("open", () => {
    response.setHeader("content-type", TYPES[extname(file.pathname)] ?? "application/octet-stream");
    body.pipe(response);
  });
  body.on("error", () => response.writeHead(404).end());
});

server.listen(Number(values.port), "localhost", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`Open http://localhost:${port}/`);
});
