/**
 * Fields that several datasets have, described once. Rules between fields are no part of a schema: a dataset's `task` checks
 * them and throws `badData`.
 */
import { z } from "zod";
import { OccamError } from "../../core/errors.ts";

/** Rows that a generated dataset makes at the most: 10^6 rows of 100 inputs are 400 MB. */
const MAX_ROWS = 1_000_000;

export const seedField = z
  .int()
  .min(0)
  .max(4294967295)
  .default(0)
  .describe("seed of everything that is drawn: rows, noise, the split; the cell's own seed does not touch the data");

export const trainField = (rows: number) =>
  z.int().min(1).max(MAX_ROWS).default(rows).describe("training rows; a larger number extends a smaller one");

export const testField = (rows: number) => z.int().min(1).max(MAX_ROWS).default(rows).describe("test rows");

export const tableTrainField = z
  .int()
  .min(0)
  .max(MAX_ROWS)
  .default(0)
  .describe("training rows, drawn from the whole table; the other rows are the test set; 0: half of the table");

export const labelNoiseField = z
  .number()
  .min(0)
  .max(1)
  .default(0)
  .describe("probability that a training label is replaced by one of the other classes; test labels stay clean");

export const noiseField = (sd: number) =>
  z.number().min(0).max(1000).default(sd).describe("standard deviation of the Gaussian noise");

/** A configuration whose fields contradict each other: `field` is the one to change. */
export function badData(kind: string, field: string, message: string): OccamError {
  return new OccamError("bad-spec", `data "${kind}": ${message}`, { where: `data.${field}` });
}
