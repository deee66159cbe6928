import * as ort from "onnxruntime-web/webgpu";
import type { Matrix } from "./cases.ts";
import { matMul, matMulNBits } from "./onnx.ts";
import type { Contender } from "./timing.ts";
import { BLOCK, CODE_BITS, type Source } from "./weights.ts";

/** @param wasmPath where onnxruntime-web's files are served */
export async function openSession(
  { format, O, D }: Matrix,
  { values, codes, scales }: Source,
  wasmPath: string,
): Promise<ort.InferenceSession> {
  ort.env.wasm.wasmPaths = wasmPath;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const model =
    format === "f32"
      ? matMul(D, O, transpose(values, O, D))
      : matMulNBits(D, O, BLOCK, CODE_BITS[format], codes, scales);
  return ort.InferenceSession.create(model, {
    executionProviders: ["webgpu"],
    preferredOutputLocation: "gpu-buffer",
  });
}

/** @param x `[T, D]` */
export async function theirs(
  session: ort.InferenceSession,
  D: number,
  x: Float32Array<ArrayBuffer>,
): Promise<Contender> {
  const device = await ort.env.webgpu.device;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffer = device.createBuffer({ size: x.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, x);
  const input = ort.Tensor.fromGpuBuffer(buffer, {
    dataType: "float32",
    dims: [x.length / D, D],
  });
  const multiply = async () => (await session.run({ x: input })).y as ort.Tensor;
  return {
    run: async () => (await multiply()).dispose(),
    done: () => device.queue.onSubmittedWorkDone(),
    read: async () => (await (await multiply()).getData(true)) as Float32Array,
    dispose() {
      input.dispose();
      buffer.destroy();
    },
  };
}

function transpose(values: Float32Array, O: number, D: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let o = 0; o < O; o++) for (let k = 0; k < D; k++) turned[k * O + o] = values[o * D + k]!;
  return turned;
}
