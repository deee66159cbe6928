import attentionDecode from "../../../shaders/software/attention-decode.wgsl?raw";
import attentionMerge from "../../../shaders/software/attention-merge.wgsl?raw";
import matmulDirect from "../../../shaders/software/matmul-direct.wgsl?raw";
import matmulRowsSubgroups from "../../../shaders/software/matmul-rows-subgroups.wgsl?raw";
import matmulRows from "../../../shaders/software/matmul-rows.wgsl?raw";

/** WGSL that only software adapters run. */
export const software = {
  attentionDecode,
  attentionMerge,
  matmulDirect,
  matmulRows,
  matmulRowsSubgroups,
};

export type SoftwareShaders = typeof software;
