import { answerOrigin } from "webvlm/service-worker";

declare const self: ServiceWorkerGlobalScope;

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** Requests below /v1/ go to the tab that has the model. */
answerOrigin(self);

/** The app's own part: images that have been shown once are there without a network, too. */
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
