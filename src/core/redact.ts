/**
 * Secrets in text: what a log line must not hold whatever path it took there, a library's message or the field of an error
 * among them. It works on the finished line, by the names of fields at any depth and by the shapes of secrets.
 */

/** Fields whose values are never written. Lease tokens go by the field `lease`. */
export const SECRET_FIELDS = ["token", "authorization", "password", "secret", "passphrase", "privateKey"] as const;

export const REDACTED = "[redacted]";

/** A JSON string, or an array of them, as the value of such a field. */
const FIELD = new RegExp(`("(?:${SECRET_FIELDS.join("|")})"\\s*:\\s*)(?:"(?:[^"\\\\]|\\\\.)*"|\\[[^\\]]*\\])`, "giu");

/** The same inside a text that is JSON itself. */
const ESCAPED_FIELD = new RegExp(`(\\\\+"(?:${SECRET_FIELDS.join("|")})\\\\+"\\s*:\\s*\\\\+")[^"\\\\]*`, "giu");

/** `Authorization: Bearer ...`, in headers and in messages. */
const BEARER = /\bBearer\s+[\w.~+/=-]+/giu;

/** user:password@host in an address, as in a database's. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"]*):[^\s/@"]+@/giu;

/** PEM, also with its line ends escaped. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?=")|$)/gu;

/** The text without the secrets that it shows. */
export function redact(text: string): string {
  return text
    .replaceAll(FIELD, `$1"${REDACTED}"`)
    .replaceAll(ESCAPED_FIELD, `$1${REDACTED}`)
    .replaceAll(BEARER, `Bearer ${REDACTED}`)
    .replaceAll(URL_PASSWORD, `$1:${REDACTED}@`)
    .replaceAll(PRIVATE_KEY, REDACTED);
}
