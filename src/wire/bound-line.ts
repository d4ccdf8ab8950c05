/**
 * A log line within limits; what is cut is marked, never hidden. A worker cuts before it sends, so that no line is too long for a
 * message; the coordinator cuts again what others sent.
 */

/** One log line; the rest is cut and the cut is marked. */
export const LOG_MESSAGE_CHARS = 16_384;

/** Structured fields of one log line; larger ones are dropped and the drop is marked. */
export const LOG_FIELDS_CHARS = 16_384;

export function boundMessage(message: string): string {
  const cut = message.length - LOG_MESSAGE_CHARS;
  return cut <= 0 ? message : `${message.slice(0, LOG_MESSAGE_CHARS)} … (${cut} more characters)`;
}

export function boundFields(fieldsJson: string): string {
  if (fieldsJson.length <= LOG_FIELDS_CHARS) return fieldsJson;
  return JSON.stringify({ droppedFieldsChars: fieldsJson.length });
}
