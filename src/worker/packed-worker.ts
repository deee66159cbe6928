import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { exposeModel } from "./expose-model.ts";
import { modelLoader } from "./model-loader.ts";

/** The script of a worker for quantized checkpoints. A page fetches it for such a checkpoint alone. */
exposeModel(modelLoader(async () => PACKED_FORMATS));
