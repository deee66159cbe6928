import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  createServer,
} from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  "": "text/html",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".png": "image/png",
};

/**
 * Starts a plain web server of files.
 *
 * @param read returns the file at a path. A rejection is a 404.
 * @param own answers a request that is not for a file, or returns false
 * @param create makes the server. Default: HTTP/1.
 */
export function listen(
  read: (path: string) => Promise<string | Buffer>,
  own: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
  create: (listener: RequestListener) => Server = createServer,
): Promise<Server> {
  const server = create((request, response) => {
    if (own(request, response)) return;
    const { pathname } = new URL(request.url as string, "http://localhost");
    const headers = {
      "access-control-allow-origin": "*",
      "content-type": TYPES[extname(pathname)] ?? "application/octet-stream",
    };
    read(pathname).then(
      (body) => {
        response
          .writeHead(200, { ...headers, "content-length": Buffer.byteLength(body) })
          .end(body);
      },
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

export const origin = (server: Server): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
