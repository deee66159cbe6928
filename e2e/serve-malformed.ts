/** A small random generator, so that every run sends the same requests. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

const CHAT = "/v1/chat/completions";
const GOOD = { messages: [{ role: "user", content: "Hello!" }], max_tokens: 1 };

/** Bodies of JSON that are no requests. */
const BODIES: readonly unknown[] = [
  null,
  [],
  "text",
  {},
  { messages: [] },
  { messages: "Hello!" },
  { messages: [null] },
  { messages: [{ role: "king", content: "x" }] },
  { messages: [{ role: "user" }] },
  { messages: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }] },
  { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
  { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:x" } }] }] },
  {
    messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "ftp://x/" } }] }],
  },
  {
    messages: [
      { role: "user", content: [{ type: "image_url", image_url: { url: "data:;base64,AAAA" } }] },
    ],
  },
  { ...GOOD, temperature: -1 },
  { ...GOOD, temperature: "hot" },
  { ...GOOD, max_tokens: 0.5 },
  { ...GOOD, max_tokens: "many" },
  { ...GOOD, n: 0 },
  { ...GOOD, stop: 7 },
  { ...GOOD, stream: "yes" },
  { ...GOOD, logit_bias: { x: 1 } },
  { ...GOOD, top_logprobs: 99, logprobs: true },
];

/** Bytes of HTTP requests, or of similar text. The server must refuse all of them. */
export function malformedRequests(count: number): Buffer[] {
  const random = generator(7);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => random(256)));
  const request = (line: string, body: string | Buffer, type = "application/json"): Buffer => {
    const head = `${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
    const length = `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head + length), Buffer.from(body)]);
  };
  const good = JSON.stringify(GOOD);
  const kinds: readonly (() => Buffer)[] = [
    () => request(`POST ${CHAT}`, JSON.stringify(pick(BODIES))),
    // JSON that is cut, or has an extra character.
    () => request(`POST ${CHAT}`, good.slice(0, random(good.length))),
    () => {
      const at = random(good.length);
      return request(`POST ${CHAT}`, `${good.slice(0, at)}\u0001${good.slice(at)}`);
    },
    () => request(`POST ${CHAT}`, `${"[".repeat(1 + random(20_000))}`),
    () => request(`POST ${CHAT}`, bytes(random(2000))),
    () => request(`POST ${CHAT}`, good, pick(["text/html", "multipart/form-data", "image/png"])),
    () => request(`${pick(["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])} ${CHAT}`, ""),
    () => request(`POST ${pick(["/v1/models", "/v1/health", "/v1/model_info"])}`, good),
    () => request(`${pick(["GET", "POST"])} /${bytes(6).toString("hex")}`, ""),
    () => request(`POST ${pick(["/v1/tokenize", "/v1/detokenize"])}`, pick(["{}", "[", "7"])),
    // Not HTTP, or cut.
    () => bytes(1 + random(500)),
    () => request(`POST ${CHAT}`, good).subarray(0, 1 + random(100)),
    () =>
      Buffer.from(
        `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: -${random(9)}\r\n\r\n`,
      ),
    () => Buffer.from(`GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    () =>
      Buffer.from(
        `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n${good}`,
      ),
  ];
  return Array.from({ length: count }, () => pick(kinds)());
}
