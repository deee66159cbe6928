import { expect, test } from "vitest";
import { RequestError } from "../chat/request-error.ts";
import { withPaths } from "./error-paths.ts";

test("a RequestError becomes an OpenAIError that names the path", async () => {
  const refuse = () => {
    throw new RequestError("image_too_large", { message: 1, part: 2 }, "Too large.");
  };
  const asked = withPaths((subject) => JSON.stringify(subject), refuse);
  await expect(asked).rejects.toMatchObject({
    name: "OpenAIError",
    code: "image_too_large",
    param: '{"message":1,"part":2}',
    message: "Too large.",
  });
});

test("other errors pass unchanged", async () => {
  const other = new Error("something else");
  await expect(withPaths(String, () => Promise.reject(other))).rejects.toBe(other);
});
