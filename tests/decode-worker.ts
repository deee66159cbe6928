import { goldenImage } from "./images.ts";

onmessage = async ({ data }: MessageEvent<string>) => {
  const { width, height } = await goldenImage(data);
  postMessage([width, height]);
};
