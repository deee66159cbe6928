/** What is used of a service worker's scope; TypeScript's own types exclude a page's. */
export interface ServiceWorkerScope {
  readonly location: { readonly href: string };
  readonly clients: {
    claim(): Promise<void>;
    get(id: string): Promise<unknown>;
    matchAll(options: {
      type: "window";
      includeUncontrolled: boolean;
    }): Promise<readonly WindowClient[]>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "install" | "activate",
    listener: (event: { waitUntil(promise: Promise<unknown>): void }) => void,
  ): void;
}

export interface FetchEvent {
  readonly request: Request;
  /** Of the page or worker that asks; empty for what has none. */
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}

export interface WindowClient {
  postMessage(message: unknown, transfer: Transferable[]): void;
}
