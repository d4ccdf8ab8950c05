/** `Identity`, which every clone and every tensor saved for a gradient asks for: the shipped kernel copies. */
import type { OwnKernel } from "./register.ts";

const identity: OwnKernel = (heap, { inputs }, shipped) => {
  const x = inputs["x"]!;
  return x.dtype === "string" ? shipped() : heap.share(x);
};

export const identityKernels: Readonly<Record<string, OwnKernel>> = { Identity: identity };
