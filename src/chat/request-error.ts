/** What is wrong with a request, in OpenAI's words. */
export type RequestErrorCode =
  | "invalid_value"
  | "context_length_exceeded"
  | "invalid_base64_image"
  | "empty_image_file"
  | "image_parse_error"
  | "unsupported_image_media_type"
  | "failed_to_download_image"
  | "image_too_large"
  | "image_too_small";

/** Thrown when a request can't be answered as it is; asking again would not help. */
export class RequestError extends Error {
  override name = "RequestError";
  readonly code: RequestErrorCode;
  /** The path of the offending part, such as `messages[0].content[1].image_url.url`. */
  readonly param: string;

  constructor(code: RequestErrorCode, param: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.param = param;
  }
}
