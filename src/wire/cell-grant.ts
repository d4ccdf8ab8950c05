/** Cells <-> the grants that they travel in. */
import { z } from "zod";
import type { CellGrant, Grant } from "../../proto/gen/occam/v1/control.ts";
import { STARTS } from "../catalogue/entry.ts";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { OccamError } from "../core/errors.ts";
import { asTraceparent } from "../core/trace.ts";
import { asFuseKey, asLeaseToken, shortId, type FuseKey, type LeaseToken } from "../core/ids.ts";
import { cellOf, type Cell, type CellConfig } from "../spec/cell.ts";

const entrySchema = z.intersection(
  z.object({ kind: z.string().min(1) }),
  z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
);

const configSchema = z.strictObject({
  data: entrySchema,
  architecture: entrySchema,
  optimizer: entrySchema,
  regulariser: entrySchema,
  seed: z.string().regex(/^\d{1,20}$/),
  train: z.strictObject({
    steps: z.int().min(0),
    start: z.enum(STARTS).exclude(["random"]).exactOptional(),
    batch: z.int().min(1),
    schedule: z.enum(["constant", "cosine"]),
    evalEvery: z.int().min(1),
    stopTrainLoss: z.number().nullable(),
  }),
  estimate: z.strictObject({
    sampler: z.enum(["none", "tiered", "sgld", "rmsprop-sgld", "sgnht"]),
    tier: z.enum(["auto", "A", "B", ""]),
    estimand: z.enum(["loss", "behavioural", "both", ""]),
    distance: z.enum(["auto", "mse", "kl", ""]),
    inputs: z.enum(["train", "all", ""]),
    parameters: z.string(),
    rows: z.string(),
    chains: z.int().min(0),
    budget: z.int().min(0),
    trajectory: z.int().min(0),
    tolerance: z.number(),
    subset: z.int().min(0),
    draws: z.int().min(0),
    burnIn: z.int().min(0),
    thin: z.int().min(0),
    batch: z.int().min(0),
    nBeta: z.number(),
    gamma: z.number(),
    rho: z.number(),
    stepSize: z.number(),
    kernelRows: z.int().min(0),
    refine: z.enum(["auto", "never", ""]),
    curveNBeta: z.string(),
    curveGamma: z.string(),
  }),
});

export interface CellAttempt {
  readonly cell: Cell;
  /** 1 for the first. */
  readonly attempt: number;
}

/** Cells of one fuse key, leased together. */
export interface LeaseGrant {
  readonly token: LeaseToken;
  readonly ttlMs: number;
  readonly fuseKey: FuseKey;
  readonly cells: readonly CellAttempt[];
  /** The coordinator's span of the grant; "" when nothing is traced. */
  readonly traceparent: string;
}

export function configToJson(config: CellConfig): string {
  return canonicalJson(config as unknown as Json);
}

/** A cell's configuration as it was stored or sent; throws "protocol" when it is none. */
export function configFromJson(text: string, where: string): CellConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new OccamError("protocol", "a cell's configuration is no JSON", { where, cause: error });
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    throw new OccamError("protocol", `a cell's configuration is not valid: ${z.prettifyError(parsed.error)}`, {
      where,
    });
  }
  return parsed.data;
}

export function cellToWire({ cell, attempt }: CellAttempt): CellGrant {
  return { cellId: cell.id, configJson: configToJson(cell.config), attempt };
}

/**
 * Throws "protocol" when the configuration does not hash to the id: the two sides would then compute different cells under
 * one name, most likely because they are of different versions.
 */
export function cellFromWire({ cellId, configJson, attempt }: CellGrant): CellAttempt {
  const cell = cellOf(configFromJson(configJson, `cell ${shortId(cellId)}`));
  if (cell.id !== cellId) {
    throw new OccamError(
      "protocol",
      `the configuration of cell ${shortId(cellId)} has the id ${shortId(cell.id)} here`,
      {
        hint: "run coordinator and workers of one version",
      },
    );
  }
  return { cell, attempt };
}

export function grantToWire({ token, ttlMs, fuseKey, cells, traceparent }: LeaseGrant): Grant {
  return { token, ttlMs, fuseKey, cells: cells.map(cellToWire), traceparent };
}

export function grantFromWire({ token, ttlMs, fuseKey, cells, traceparent }: Grant): LeaseGrant {
  return {
    token: asLeaseToken(token),
    ttlMs,
    fuseKey: asFuseKey(fuseKey),
    cells: cells.map(cellFromWire),
    traceparent: asTraceparent(traceparent),
  };
}
