/** Writes the messages of one method into a buffer that is kept: one that grows anew with each costs more than what is written. */
import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** A larger message's buffer is not kept. */
const KEPT_BYTES = 1024 * 1024;

export function keptBuffer<M>(encode: (message: M, writer: BinaryWriter) => BinaryWriter): (message: M) => Buffer {
  let writer = new BinaryWriter();
  return (message) => {
    const own = writer;
    // Of a message that cannot be written the half would stay in it.
    writer = new BinaryWriter();
    const bytes = encode(message, own).finish();
    if (bytes.byteLength <= KEPT_BYTES) writer = own;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
