/**
 * The file format safetensors: eight bytes of header length (little-endian), a JSON header, the tensors' numbers without a gap
 * (https://github.com/huggingface/safetensors, "Format"). Python reads it with `safetensors.numpy.load_file`.
 */
import { OccamError } from "../../src/core/errors.ts";
import type { NamedTensor, Numbers } from "./saved-value.ts";

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly NamedTensor[];
}

/** A file whose header is longer is none of ours. */
const MOST_HEADER_BYTES = 256 * 1024 * 1024;
const LENGTH_BYTES = 8;
/** So that the numbers of every type are aligned: wide ones come first. */
const ALIGNMENT = 8;

const MAKE = { F64: Float64Array, F32: Float32Array, I32: Int32Array } as const;
type TypeName = keyof typeof MAKE;

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly (number | undefined)[];
}

export function toSafetensors({ metadata, tensors }: SafetensorsFile): Uint8Array {
  const ordered = tensors.toSorted((a, b) => b.values.BYTES_PER_ELEMENT - a.values.BYTES_PER_ELEMENT);
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const { name, shape, values } of ordered) {
    header[name] = { dtype: typeOf(values), shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const headerBytes = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + end).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(text, LENGTH_BYTES);
  let at = LENGTH_BYTES + headerBytes;
  for (const { values } of ordered) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}

/** @throws OccamError "protocol" for anything that is not such a file, whole */
export function fromSafetensors(file: Uint8Array): SafetensorsFile {
  const { header, dataFrom } = headerOf(file);
  const { __metadata__: metadata = {}, ...entries } = header;
  const data = file.subarray(dataFrom);
  const tensors = Object.entries(entries).map(([name, entry]) => tensorOf(name, entry as HeaderEntry, data));
  const ends = tensors.reduce((sum, { values }) => sum + values.byteLength, 0);
  if (ends !== data.length) throw broken(`${data.length} bytes of numbers where the header says ${ends}`);
  return { metadata: metadata as SafetensorsFile["metadata"], tensors };
}

function headerOf(file: Uint8Array): { readonly header: Readonly<Record<string, unknown>>; readonly dataFrom: number } {
  if (file.length < LENGTH_BYTES) throw broken("it is too short");
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length > MOST_HEADER_BYTES || LENGTH_BYTES + length > file.length) throw broken("its header is cut off");
  try {
    const text = Buffer.from(file.buffer, file.byteOffset + LENGTH_BYTES, length).toString("utf8");
    const header = JSON.parse(text) as unknown;
    if (typeof header === "object" && header !== null && !Array.isArray(header)) {
      return { header: header as Readonly<Record<string, unknown>>, dataFrom: LENGTH_BYTES + length };
    }
  } catch (cause) {
    throw broken("its header is no JSON", cause);
  }
  throw broken("its header is no JSON object");
}

function tensorOf(name: string, entry: HeaderEntry, data: Uint8Array): NamedTensor {
  const [from = Number.NaN, to = Number.NaN] = entry.data_offsets ?? [];
  const make = MAKE[entry.dtype as TypeName];
  const count = Array.isArray(entry.shape) ? entry.shape.reduce((product, length) => product * length, 1) : Number.NaN;
  const bytes = count * (make?.BYTES_PER_ELEMENT ?? Number.NaN);
  if (!(from >= 0 && to <= data.length && to - from === bytes)) throw broken(`its tensor "${name}" makes no sense`);
  // A copy: the numbers may lie at any address of the file. Not by `slice`, which of a Buffer is no copy.
  const own = new Uint8Array(data.subarray(from, to));
  return { name, shape: entry.shape, values: new make(own.buffer, 0, count) };
}

const typeOf = (values: Numbers): TypeName =>
  values instanceof Float64Array ? "F64" : values instanceof Float32Array ? "F32" : "I32";

const broken = (what: string, cause?: unknown): OccamError =>
  new OccamError("protocol", `this is no whole safetensors file: ${what}`, { cause });
