/** Every kernel of ours by the name that it is registered under. One line a family. */
import { gatherKernels } from "./gather.ts";
import { matmulKernels } from "./matmul.ts";
import type { OwnKernel } from "./register.ts";

export const OWN_KERNELS: Readonly<Record<string, OwnKernel>> = {
  ...gatherKernels,
  ...matmulKernels,
};
