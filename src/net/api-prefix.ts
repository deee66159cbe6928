/** Paths of OpenAI's API. Requests below another prefix are answered as if they were below this one. */
export const API_PREFIX = "/v1/";
