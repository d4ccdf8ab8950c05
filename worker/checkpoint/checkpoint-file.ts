/**
 * One checkpoint of one cell as one file: a safetensors file whose tensors are named after what they are ("underWay.train.state.
 * weights.weight0") and whose metadata say whose it is, how far it is, and hold what is no tensor.
 *
 * A file that is torn, of another cell, of another backend, of another numerics or format version, or whose checksum does not fit
 * is told from a good one by `readCheckpoint`, which throws and says why.
 */
import { createHash } from "node:crypto";
import { OccamError } from "../../src/core/errors.ts";
import { shortId, type CellId } from "../../src/core/ids.ts";
import { NUMERICS_VERSION, PACKAGE_VERSION } from "../../src/core/version.ts";
import type { MetricPoint } from "../trainer/shard.ts";
import { CellMemory, type MemorySnapshot } from "./cell-memory.ts";
import type { Spent } from "./cell-times.ts";
import { fromSafetensors, toSafetensors, type SafetensorsFile } from "./safetensors.ts";
import { putTogether, takeApart } from "./saved-value.ts";

/** Bumped when the state of any piece is kept in another way: older checkpoints are then ignored. */
const FORMAT = "occam-checkpoint/1";

/** What a file says of itself. */
export interface CheckpointFacts {
  readonly cellId: CellId;
  readonly backend: string;
  /** The attempt that wrote it. */
  readonly attempt: number;
  readonly savedAtMs: number;
}

export interface CheckpointSummary extends CheckpointFacts {
  readonly packageVersion: string;
  readonly numericsVersion: string;
  /** "train", "estimate.0.sample.0": the piece that it is in, or that was done last. */
  readonly phase: string;
  /** Steps of the piece; "done" where none is under way. */
  readonly step: string;
}

const NO_CHECKSUM = "0".repeat(64);

export function writeCheckpoint(memory: CellMemory, facts: CheckpointFacts): Uint8Array {
  const [phase = "", step = "done"] = memory.position.split("@");
  const { points, spent, ...pieces } = memory.snapshot();
  const { skeleton, tensors } = takeApart({ ...pieces, points: columnsOf(points) });
  const file = toSafetensors({
    metadata: {
      format: FORMAT,
      cell: facts.cellId,
      package: PACKAGE_VERSION,
      numerics: String(NUMERICS_VERSION),
      backend: facts.backend,
      phase,
      step,
      attempt: String(facts.attempt),
      savedAtMs: String(facts.savedAtMs),
      trainMs: String(spent?.trainMs ?? 0),
      estimateMs: String(spent?.estimateMs ?? 0),
      sha256: NO_CHECKSUM,
      state: JSON.stringify(skeleton),
    },
    tensors,
  });
  const at = checksumAt(file)!;
  file.set(Buffer.from(createHash("sha256").update(file).digest("hex")), at);
  return file;
}

/** @throws OccamError "protocol" with the reason for which this file is not to be gone on from */
export function readCheckpoint(
  file: Uint8Array,
  wanted: Pick<CheckpointFacts, "cellId" | "backend">,
): { readonly memory: CellMemory; readonly summary: CheckpointSummary } {
  const { metadata, tensors, summary } = openCheckpoint(file);
  const { cellId, backend, numericsVersion } = summary;
  if (cellId !== wanted.cellId) throw unfit(`it is of the cell ${shortId(cellId)}`);
  if (numericsVersion !== String(NUMERICS_VERSION)) throw unfit(`it is of the numerics version ${numericsVersion}, this is ${NUMERICS_VERSION}`); // prettier-ignore
  if (backend !== wanted.backend) throw unfit(`it was computed on ${backend}, this is ${wanted.backend}`);
  try {
    const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    const kept = putTogether(JSON.parse(metadata["state"] ?? ""), byName) as Omit<MemorySnapshot, "points" | "spent"> & { readonly points: PointColumns }; // prettier-ignore
    return { memory: new CellMemory({ ...kept, points: pointsOf(kept.points), spent: spentOf(metadata) }), summary };
  } catch (cause) {
    throw unfit("what it keeps cannot be read", cause);
  }
}

/** Checkpoints of older builds do not say. */
function spentOf(metadata: SafetensorsFile["metadata"]): Spent {
  const ms = (name: string): number => Math.max(0, Number(metadata[name] ?? 0)) || 0;
  return { trainMs: ms("trainMs"), estimateMs: ms("estimateMs") };
}

/** Of any whole checkpoint of this format, whoever it is of. @throws OccamError "protocol" */
export function openCheckpoint(file: Uint8Array): SafetensorsFile & { readonly summary: CheckpointSummary } {
  const { metadata, tensors } = fromSafetensors(file);
  if (metadata["format"] !== FORMAT) throw unfit(`its format is ${metadata["format"] ?? "unknown"}, not ${FORMAT}`);
  if (!isWhole(file)) throw unfit("its checksum is not that of its content");
  const text = (name: string): string => metadata[name] ?? "";
  const summary = {
    cellId: text("cell") as CellId,
    backend: text("backend"),
    attempt: Number(text("attempt")),
    savedAtMs: Number(text("savedAtMs")),
    packageVersion: text("package"),
    numericsVersion: text("numerics"),
    phase: text("phase"),
    step: text("step"),
  };
  return { metadata, tensors, summary };
}

/** Is the checksum that of the file with zeros in its place? */
function isWhole(file: Uint8Array): boolean {
  const at = checksumAt(file);
  if (at === undefined) return false;
  const found = Buffer.from(file.buffer, file.byteOffset + at, NO_CHECKSUM.length).toString("latin1");
  const hash = createHash("sha256")
    .update(file.subarray(0, at))
    .update(NO_CHECKSUM)
    .update(file.subarray(at + NO_CHECKSUM.length));
  return hash.digest("hex") === found;
}

function checksumAt(file: Uint8Array): number | undefined {
  const label = '"sha256":"';
  const at = Buffer.from(file.buffer, file.byteOffset, file.byteLength).indexOf(label);
  return at < 0 || at + label.length + NO_CHECKSUM.length > file.length ? undefined : at + label.length;
}

/** Metric points in columns: point i is (names[name[i]], step[i], value[i]). */
interface PointColumns {
  readonly names: readonly string[];
  readonly name: Int32Array;
  readonly step: Float64Array;
  readonly value: Float64Array;
}

function columnsOf(points: readonly MetricPoint[]): PointColumns {
  const names = [...new Set(points.map(({ series }) => series))];
  const index = new Map(names.map((name, i) => [name, i]));
  return {
    names,
    name: Int32Array.from(points, ({ series }) => index.get(series)!),
    step: Float64Array.from(points, ({ step }) => step),
    value: Float64Array.from(points, ({ value }) => value),
  };
}

const pointsOf = ({ names, name, step, value }: PointColumns): readonly MetricPoint[] =>
  [...name].map((at, i) => ({ series: names[at]!, step: step[i]!, value: value[i]! }));

const unfit = (why: string, cause?: unknown): OccamError => new OccamError("protocol", why, { cause });
