/** Fields that architectures share, so that one name means one thing in a sweep file and has one limit. */
import { z } from "zod";
import type { Tensor3D, Tf } from "../entry.ts";

/** Deeper plain networks do not train without normalisation, and a program's size grows with its layers. */
const MAX_DEPTH = 64;
/** 16,384^2 weights are 1 GiB of float32 for one layer of one member. */
export const MAX_WIDTH = 16_384;

export function depthField(description: string, least: number): z.ZodNumber {
  return z.int().min(least).max(MAX_DEPTH).describe(description);
}

export function widthField(description: string): z.ZodNumber {
  return z.int().min(1).max(MAX_WIDTH).describe(description);
}

export const initScaleField = z
  .number()
  .positive()
  .default(1)
  .describe("Factor on the standard deviation that each weight matrix starts with.");

export const outputScaleField = z
  .number()
  .positive()
  .default(1)
  .describe("Factor on the model's output; large values are the lazy regime.");

/** The output times `outputScale`; all members of a program share it. */
export function scaleOutput(tf: Tf, output: Tensor3D, outputScale: number): Tensor3D {
  return outputScale === 1 ? output : tf.mul(output, outputScale);
}
