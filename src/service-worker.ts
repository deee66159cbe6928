/**
 * For an app's own service worker: `import { answerOrigin } from "webvlm/service-worker"` and
 * `answerOrigin(self)`. An app without one registers `webvlm-service-worker.js` as it is.
 */
export { type AnswerOriginOptions, answerOrigin } from "./net/origin/answer-origin.ts";
export type { ServiceWorkerScope } from "./net/origin/scope.ts";
