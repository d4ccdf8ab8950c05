/**
 * How many cells the next shard has. Pure.
 *
 * As many as fuse into one program on the asking worker, but no more than its fair share of all work that is left: with P
 * workers and W operations still to do (pending, and the remaining part of what is leased), a shard is at most W / P. Early on
 * that bounds nothing; at the end it leaves no worker idle while another trains the last wide shard. It is the chunk rule of
 * guided self-scheduling (Polychronopoulos and Kuck, IEEE Trans. Computers C-36, 1987) with leased work counted as well, so
 * that equal workers asking one after another get equal shards.
 */

export interface ShardBounds {
  /** Cells that could be in it. At least 1. */
  readonly available: number;
  /** The most cells that the worker fuses. */
  readonly maxFuseWidth: number;
  /** What one fused program may use on the worker; 0: unknown. */
  readonly memoryBytes: number;
  /** What one member needs; 0: unknown. */
  readonly bytesPerMember: number;
  /** Of these cells, after a fault; 0: none. */
  readonly widthLimit: number;
  /** Operations still to do, pending and leased. */
  readonly remainingFlops: number;
  readonly flopsPerCell: number;
  /** Workers that share the work, the asking one included. */
  readonly workers: number;
  /** Named limit of the coordinator. */
  readonly shardCellsMax: number;
}

/**
 * At least 1: a cell that seems too large for the worker's memory is tried alone, for the figure is an estimate; when it runs
 * out, that is counted.
 */
export function shardWidth(bounds: ShardBounds): number {
  const { available, maxFuseWidth, widthLimit, shardCellsMax } = bounds;
  const limit = widthLimit === 0 ? Infinity : widthLimit;
  const width = Math.min(available, maxFuseWidth, shardCellsMax, limit, inMemory(bounds), fairShare(bounds));
  return Math.max(1, width);
}

function inMemory({ memoryBytes, bytesPerMember }: ShardBounds): number {
  return memoryBytes > 0 && bytesPerMember > 0 ? Math.floor(memoryBytes / bytesPerMember) : Infinity;
}

/** Rounded up, but not for what is only the rounding error of a sum of large numbers. */
function fairShare({ remainingFlops, flopsPerCell, workers }: ShardBounds): number {
  if (flopsPerCell <= 0) return Infinity;
  return Math.ceil(remainingFlops / flopsPerCell / Math.max(1, workers) - 1e-6);
}
