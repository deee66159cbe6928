/** @returns whether an adapter computes on the processor, not on a GPU */
export function isSoftware({
  isFallbackAdapter,
  vendor,
  architecture,
  description,
}: GPUAdapterInfo): boolean {
  const names = `${vendor} ${architecture} ${description}`.toLowerCase();
  return isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|warp/.test(names);
}
