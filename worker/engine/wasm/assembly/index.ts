/** All kernels, one module: built by ../build.mjs, called by the files in .. */
export { batchMatmul, matmulScratchBytes } from "./matmul";
export { gatherRows, oneHotRows, segmentSum } from "./gather";
