import geluTanh from "../../shaders/epilogue/gelu-tanh.wgsl?raw";
import gelu from "../../shaders/epilogue/gelu.wgsl?raw";
import quickGelu from "../../shaders/epilogue/quick-gelu.wgsl?raw";
import relu from "../../shaders/epilogue/relu.wgsl?raw";
import silu from "../../shaders/epilogue/silu.wgsl?raw";

/** WGSL of each activation, which defines `fn activate(v: f32) -> f32`. */
export const ACTIVATIONS = {
  gelu_tanh: geluTanh,
  gelu,
  quick_gelu: quickGelu,
  relu,
  silu,
} as const;

export type Activation = keyof typeof ACTIVATIONS;
