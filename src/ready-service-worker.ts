import { answerOrigin } from "./net/origin/answer-origin.ts";
import type { ServiceWorkerScope } from "./net/origin/scope.ts";

/** A complete service worker. It answers `/v1/…` and leaves everything else to the network. */
const scope = globalThis as unknown as ServiceWorkerScope;
scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
// The worker also answers tabs that were open before it, without a reload.
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
answerOrigin(scope);
