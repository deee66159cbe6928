import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openGpu, type Gpu } from "../gpu/device.ts";
import { loadShaders } from "../gpu/shaders/load-shaders.ts";
import { createModel } from "../models/registry.ts";
import { freeDiskBytes } from "../platform/node-store.ts";
import { nodePlatform } from "../platform/node.ts";
import { assemble } from "../runtime/assemble.ts";
import type { AutoLevel } from "../weights/choose-format.ts";
import { type ConvertedFile, convertedFiles } from "../weights/convert.ts";
import { isConverted } from "../weights/formats/webvlm.ts";
import { checkRoom } from "../weights/storage-room.ts";
import { openModel } from "./open-model.ts";
import { onSignals } from "./signals.ts";
import { bytesText, openTerminal } from "./terminal.ts";

/** The levels of "auto" that a checkpoint can be converted to. */
export const CONVERT_FORMATS: readonly AutoLevel[] = ["q8", "mixed", "q4"];

/** A context for which little memory is taken; nothing is answered. */
const CONTEXT = 1024;

/**
 * `webvlm convert`: writes a checkpoint whose weights are quantized as they are used. Matrices that are
 * quantized already, as in GGUF files, keep their codes and scales.
 *
 * @param folder must not exist, or be empty
 * @param openDevice replaced by tests
 * @returns the exit code
 * @throws Error when the folder has files, the disk has too little room, the checkpoint can't be read or
 *   was converted already; DeviceError when this machine can't run the model
 */
export async function convertCommand(
  model: string,
  folder: string,
  { format }: { readonly format: AutoLevel },
  openDevice: () => Promise<Gpu> = async () =>
    openGpu(await nodePlatform.requestAdapter(), loadShaders),
): Promise<number> {
  const target = resolve(folder);
  const files = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new Error(`${target} can't be written to: ${error.message}`, { cause: error });
  });
  if (files.length > 0) {
    throw new Error(`${target} is not empty: name a new folder, or delete what is in it`);
  }
  const stop = new AbortController();
  const { signal } = stop;
  onSignals(() => stop.abort(new Error("interrupted")));
  const { onProgress, onDownload, onWrite } = openTerminal();
  // What is written has its final name only when it is whole.
  const partial = `${target}.incomplete`;
  let gpu: Gpu | undefined;
  try {
    const checkpoint = await openModel(model, { signal, onProgress, onDownload });
    if (isConverted(checkpoint.files)) {
      throw new Error(`${checkpoint.id} was converted already: it loads as it is`);
    }
    gpu = await openDevice();
    const options = { contextLength: CONTEXT };
    const { weights, engine } = assemble(createModel, gpu, checkpoint, options, { auto: format });
    await engine.prepare();
    await weights.load(checkpoint, { signal, onProgress });
    const converted = convertedFiles(gpu, checkpoint, weights.fills, format);
    const totalBytes = converted.reduce((sum, { bytes }) => sum + bytes, 0);
    checkRoom(
      target,
      totalBytes,
      await freeDiskBytes(target),
      "name a folder on another disk, or a smaller --format",
    );
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    let loadedBytes = 0;
    for (const file of converted) {
      await writeFile(partial, file, signal, (bytes) => {
        loadedBytes += bytes;
        onWrite({ stage: "weights", loadedBytes, totalBytes, networkBytes: 0 });
      });
    }
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
    console.log(`${checkpoint.id} is in ${target} as ${format}: ${bytesText(totalBytes)}`);
    return 0;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (signal.aborted) return 130;
    throw error;
  } finally {
    gpu?.destroy();
  }
}

async function writeFile(
  folder: string,
  { name, read }: ConvertedFile,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const file = await open(join(folder, name), "wx");
  try {
    for await (const bytes of read(signal)) {
      await file.writeFile(bytes);
      onBytes(bytes.length);
    }
  } finally {
    await file.close();
  }
}
