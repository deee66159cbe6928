export type ImageErrorCode =
  | "invalid_base64_image"
  | "empty_image_file"
  | "image_parse_error"
  | "unsupported_image_media_type"
  | "failed_to_download_image"
  | "image_too_large"
  | "image_too_small";

/** Thrown when an image can't be read, decoded or used by the model. */
export class ImageError extends Error {
  override name = "ImageError";
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
