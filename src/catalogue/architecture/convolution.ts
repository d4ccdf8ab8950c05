/**
 * A fused convolution with its nonlinearity phi, and mean pooling. Images are planes, channels first: [K, C, B, H, W], held at rank 3 or less as needed.
 * With channels outermost, gathering patches copies whole planes; with them innermost it would copy single pixels.
 *
 * The convolution is a cross-correlation of odd size k with zero padding, stride 1, so that H and W stay:
 *   y[o, h, w] = b[o] + sum_{i, j, c} x[c, h + i - k/2, w + j - k/2] W[(i, j, c), o]   (k/2 rounded down)
 *
 * Where the backend has no kernel of ours, both are slices, concatenations and one batched product: TensorFlow.js has no
 * batched, differentiable convolution. Patches are gathered in two passes, first over columns and then over rows: 2k slices in
 * place of k^2.
 */
import { hasOwnKernel, ownKernel } from "../own-kernel.ts";
import { plainActivate, type Activation } from "./activation.ts";
import type { Tensor, Tensor3D, Tf } from "../entry.ts";
import type { Rank } from "@tensorflow/tfjs-core";

/** A stack of images: K members, each B rows of C planes of H x W. */
export interface Planes {
  readonly members: number;
  readonly channels: number;
  readonly rows: number;
  readonly height: number;
  readonly width: number;
}

/** A patch's length: the fan-in of a kernel. */
export function patchSize(kernel: number, channels: number): number {
  return kernel * kernel * channels;
}

/** [K, B, H W C] as rows are stored, channels last, to [K, C, B H W]. */
export function channelsFirst(tf: Tf, stored: Tensor3D, planes: Planes): Tensor3D {
  const { members, channels, rows, height, width } = planes;
  const pixels = height * width;
  const shape: [number, number, number] = [members, channels, rows * pixels];
  if (channels === 1) return tf.reshape<Rank.R3>(stored, shape);
  return tf.reshape(tf.transpose(tf.reshape(stored, [members, rows, pixels, channels]), [0, 3, 1, 2]), shape);
}

/** [K, C, B H W] to one vector for each row, [K, B, C H W]. */
export function flatPlanes(tf: Tf, image: Tensor3D, planes: Planes): Tensor3D {
  const { members, channels, rows, height, width } = planes;
  const pixels = height * width;
  const byRow = tf.transpose(tf.reshape(image, [members, channels, rows, pixels]), [0, 2, 1, 3]);
  return tf.reshape<Rank.R3>(byRow, [members, rows, channels * pixels]);
}

export interface ConvolutionOptions {
  /** phi; left out, the layer is affine. */
  readonly activation?: Activation;
  /** The image is data: the layer has no gradient with respect to it, and none is computed. */
  readonly readsData?: boolean;
}

/**
 * @param image [K, C, B H W]
 * @param weight [K, k k C, O], ordered by (row, column, channel) of the kernel
 * @param bias [K, O, 1]
 * @returns phi(y), [K, O, B H W]
 */
export function convolve(
  tf: Tf,
  image: Tensor3D,
  planes: Planes,
  kernel: number,
  weight: Tensor,
  bias: Tensor,
  options: ConvolutionOptions = {},
): Tensor3D {
  if (!hasOwnKernel(tf, "OccamConvolution")) {
    return plainConvolve(tf, image, planes, kernel, weight, bias, options.activation);
  }
  const { activation = "none", readsData = false } = options;
  const attrs = { rows: planes.rows, height: planes.height, width: planes.width, kernel, activation };
  const apply = tf.customGrad((...inputs) => {
    const save = inputs.pop() as unknown as (tensors: Tensor[]) => void;
    // Data is no input of the operation: the tape would ask for its gradient.
    const [weight, bias] = inputs as unknown as [Tensor, Tensor];
    const [value, slope] = ownKernel(tf, "OccamConvolution", { image, weight, bias }, attrs)!;
    save([image, weight, ...(activation === "none" ? [] : [slope ?? value!])]);
    const gradFunc = (dy: Tensor, [image, weight, kept]: Tensor[]): Tensor[] => {
      const given = { image: image!, weight: weight!, dy, ...(kept === undefined ? {} : { kept }) };
      return [...ownKernel(tf, "OccamConvolutionGrad", given, { ...attrs, inputGradient: !readsData })!];
    };
    return { value: value!, gradFunc };
  });
  return (readsData ? apply(weight, bias) : apply(weight, bias, image)) as Tensor3D;
}

/** By plain operations: the reference of the kernel `OccamConvolution`. */
export function plainConvolve(
  tf: Tf,
  image: Tensor3D,
  planes: Planes,
  kernel: number,
  weight: Tensor,
  bias: Tensor,
  activation?: Activation,
): Tensor3D {
  const patches = gatherRows(tf, gatherColumns(tf, image, planes, kernel), planes, kernel);
  const y = tf.add<Tensor3D>(tf.matMul(weight, patches, true, false), bias);
  return activation === undefined ? y : plainActivate(tf, activation, y);
}

/** [K, C, B H W] to [K, k C, B H W], ordered by (column, channel): the planes moved by each column of the kernel. */
function gatherColumns(tf: Tf, image: Tensor3D, planes: Planes, kernel: number): Tensor3D {
  if (kernel === 1) return image;
  const { members, channels, rows, height, width } = planes;
  const lines = members * channels * rows * height;
  const border = (kernel - 1) / 2;
  const padded = tf.pad2d(tf.reshape(image, [lines, width]) as never, [
    [0, 0],
    [border, border],
  ]);
  const moved = Array.from({ length: kernel }, (_, column) =>
    tf.reshape<Rank.R3>(tf.slice2d(padded, [0, column], [lines, width]), image.shape),
  );
  return tf.concat3d(moved, 1);
}

/** [K, k C, B H W] to [K, k k C, B H W], ordered by (row, column, channel): the planes moved by each row as well. */
function gatherRows(tf: Tf, image: Tensor3D, planes: Planes, kernel: number): Tensor3D {
  if (kernel === 1) return image;
  const { members, channels, rows, height, width } = planes;
  const images = members * kernel * channels * rows;
  const border = ((kernel - 1) / 2) * width;
  // A line of a plane is `width` numbers, so moving by a row moves the whole plane in memory by one run.
  const padded = tf.pad2d(tf.reshape(image, [images, height * width]) as never, [
    [0, 0],
    [border, border],
  ]);
  const moved = Array.from({ length: kernel }, (_, row) =>
    tf.reshape<Rank.R3>(tf.slice2d(padded, [0, row * width], [images, height * width]), image.shape),
  );
  return tf.concat3d(moved, 1);
}

/**
 * Means over windows of `pool` x `pool`, stride `pool`: [K, C, B H W] to [K, C, B H' W']. Rows and columns that fill no window
 * are dropped.
 */
export function meanPool(tf: Tf, image: Tensor3D, planes: Planes, pool: number): Tensor3D {
  if (pool === 1) return image;
  if (!hasOwnKernel(tf, "OccamMeanPool")) return plainMeanPool(tf, image, planes, pool);
  const attrs = { rows: planes.rows, height: planes.height, width: planes.width, pool };
  const apply = tf.customGrad((image) => {
    const [value] = ownKernel(tf, "OccamMeanPool", { image: image as Tensor }, attrs) as [Tensor];
    const gradFunc = (dy: Tensor): Tensor => ownKernel(tf, "OccamMeanPoolGrad", { dy }, attrs)![0]!;
    return { value, gradFunc };
  });
  return apply(image) as Tensor3D;
}

/** By plain operations: the reference of the kernel `OccamMeanPool`. */
export function plainMeanPool(tf: Tf, image: Tensor3D, planes: Planes, pool: number): Tensor3D {
  const { members, channels, rows, height, width } = planes;
  const [outHeight, outWidth] = [Math.floor(height / pool), Math.floor(width / pool)];
  const images = members * channels * rows;
  const cropped = crop(tf, image, images, planes, outHeight * pool, outWidth * pool);
  const columns = tf.sum(tf.reshape(cropped, [images * outHeight * pool * outWidth, pool]), 1);
  const lines = tf.reshape<Rank.R2>(columns, [images * outHeight, pool * outWidth]);
  const parts = Array.from({ length: pool }, (_, row) =>
    tf.slice2d(lines, [0, row * outWidth], [images * outHeight, outWidth]),
  );
  const means = tf.mul(tf.addN(parts), 1 / (pool * pool));
  return tf.reshape<Rank.R3>(means, [members, channels, rows * outHeight * outWidth]);
}

/** The first rows and columns of each plane. */
function crop(tf: Tf, image: Tensor3D, images: number, planes: Planes, height: number, width: number): Tensor {
  if (height === planes.height && width === planes.width) return image;
  const whole = tf.reshape<Rank.R3>(image, [images, planes.height, planes.width]);
  return tf.slice3d(whole, [0, 0, 0], [images, height, width]);
}
