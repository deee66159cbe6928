import { goldenPicture } from "./pictures.ts";

onmessage = async ({ data }: MessageEvent<string>) => {
  const { width, height } = await goldenPicture(data);
  postMessage([width, height]);
};
