/**
 * The public API of a service worker. An app with a worker of its own imports `answerOrigin` from
 * "webvlm/service-worker" and calls `answerOrigin(self)`. An app without one registers
 * `webvlm-service-worker.js`.
 */
export { type AnswerOriginOptions, answerOrigin } from "./net/origin/answer-origin.ts";
export type { ServiceWorkerScope } from "./net/origin/scope.ts";
