import attentionDecode from "../../../shaders/hardware/attention-decode.wgsl?raw";
import quadSubgroups from "../../../shaders/hardware/quad-subgroups.wgsl?raw";
import quad from "../../../shaders/hardware/quad.wgsl?raw";

/** WGSL for GPUs, which has variants with and without subgroups. */
export const hardware = { attentionDecode, quad, quadSubgroups };

export type HardwareShaders = typeof hardware;
