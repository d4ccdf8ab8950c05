/** Every kernel of ours by the name that it is registered under. One line a family. */
import { activationKernels } from "./activation.ts";
import { denseKernels } from "./dense.ts";
import { elementwiseKernels } from "./elementwise.ts";
import { gatherKernels } from "./gather.ts";
import { langevinKernels } from "./langevin.ts";
import { layerNormKernels } from "./layer-norm.ts";
import { leapfrogKernels } from "./leapfrog.ts";
import { identityKernels } from "./identity.ts";
import { matmulKernels } from "./matmul.ts";
import { attentionKernels } from "./attention.ts";
import { convolutionKernels } from "./convolution.ts";
import { embeddingKernels } from "./embedding.ts";
import { optimizerKernels } from "./optimizer.ts";
import { reductionKernels } from "./reduction.ts";
import type { OwnKernel } from "./register.ts";
import { softmaxKernels } from "./softmax.ts";
import { squaredErrorKernels } from "./squared-error.ts";

export const OWN_KERNELS: Readonly<Record<string, OwnKernel>> = {
  ...activationKernels,
  ...denseKernels,
  ...elementwiseKernels,
  ...gatherKernels,
  ...identityKernels,
  ...langevinKernels,
  ...leapfrogKernels,
  ...layerNormKernels,
  ...matmulKernels,
  ...softmaxKernels,
  ...squaredErrorKernels,
  ...attentionKernels,
  ...convolutionKernels,
  ...embeddingKernels,
  ...optimizerKernels,
  ...reductionKernels,
};
