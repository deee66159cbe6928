import { answerOrigin } from "webvlm/service-worker";

declare const self: ServiceWorkerGlobalScope;

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** The tab that has the model answers requests below /v1/. */
answerOrigin(self);

/** The app's own part: an image that was shown once is also available offline. */
self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (origin !== location.origin || !pathname.startsWith("/images/")) return;
  event.respondWith(fromCache(event.request));
});

async function fromCache(request: Request): Promise<Response> {
  const cache = await caches.open("images");
  const cached = await cache.match(request);
  if (cached) return cached;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}
