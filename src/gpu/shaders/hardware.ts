import arrival from "../../../shaders/hardware/arrival.wgsl?raw";
import attentionDecode from "../../../shaders/hardware/attention-decode.wgsl?raw";
import attention from "../../../shaders/hardware/attention.wgsl?raw";
import matmul from "../../../shaders/hardware/matmul.wgsl?raw";
import matvec from "../../../shaders/hardware/matvec.wgsl?raw";
import noNorm from "../../../shaders/hardware/no-norm.wgsl?raw";
import normInput from "../../../shaders/hardware/norm-input.wgsl?raw";
import normOutput from "../../../shaders/hardware/norm-output.wgsl?raw";
import plainOutput from "../../../shaders/hardware/plain-output.wgsl?raw";
import probeLanes from "../../../shaders/hardware/probe-lanes.wgsl?raw";
import quadSubgroups from "../../../shaders/hardware/quad-subgroups.wgsl?raw";
import quad from "../../../shaders/hardware/quad.wgsl?raw";
import shareSubgroups from "../../../shaders/hardware/share-subgroups.wgsl?raw";
import share from "../../../shaders/hardware/share.wgsl?raw";
import sumParts from "../../../shaders/hardware/sum-parts.wgsl?raw";
import unitsAny from "../../../shaders/hardware/units/any.wgsl?raw";
import lines4 from "../../../shaders/hardware/units/lines-4.wgsl?raw";
import lines8 from "../../../shaders/hardware/units/lines-8.wgsl?raw";
import lines from "../../../shaders/hardware/units/lines.wgsl?raw";

/** WGSL for GPUs, which has variants with and without subgroups. */
export const hardware = {
  arrival,
  attention,
  attentionDecode,
  lines,
  lines4,
  lines8,
  matmul,
  matvec,
  noNorm,
  normInput,
  normOutput,
  plainOutput,
  probeLanes,
  quad,
  quadSubgroups,
  share,
  shareSubgroups,
  sumParts,
  unitsAny,
};

export type HardwareShaders = typeof hardware;
