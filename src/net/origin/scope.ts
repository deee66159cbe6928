/**
 * The part of a service worker's scope that is used here. TypeScript's own types for it can't be
 * loaded together with those of a page.
 */
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
  /** The page or worker that made the request; empty for a navigation. */
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}

export interface WindowClient {
  postMessage(message: unknown, transfer: Transferable[]): void;
}
