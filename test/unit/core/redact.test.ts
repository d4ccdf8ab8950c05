import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLogger, LOG_FIELDS } from "../../../src/core/log.ts";
import { redact, REDACTED, SECRET_FIELDS } from "../../../src/core/redact.ts";
import { logToWire } from "../../../src/wire/log-record.ts";
import { Metadata } from "@grpc/grpc-js";

const SECRET = "hunter2hunter2";

function logged(fields: object, message = "m"): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  createLogger({ component: "test", level: "info", destination }).info(fields, message);
  expect(lines).toHaveLength(1);
  expect(() => JSON.parse(lines[0]!) as unknown).not.toThrow();
  return lines[0]!;
}

describe("a log line", () => {
  it("has the fixed fields", () => {
    const line = JSON.parse(logged({ cell: "c" })) as Record<string, unknown>;
    expect(Object.keys(line).sort()).toEqual([...LOG_FIELDS, "cell"].sort());
    expect(line["time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/u);
  });

  it("shows no secret field at any depth, whatever its value is made of", () => {
    const place = fc.array(fc.constantFrom("a", "err", "0", "deep"), { maxLength: 6, size: "max" });
    const field = fc.constantFrom(...SECRET_FIELDS);
    const value = fc.constantFrom<unknown>(SECRET, [SECRET, SECRET], `quote " and \\ ${SECRET}`);
    fc.assert(
      fc.property(place, field, value, (path, name, secret) => {
        const fields = path.reduceRight<object>((inner, key) => ({ [key]: inner, after: 1 }), { [name]: secret });
        expect(logged(fields)).not.toContain(SECRET);
      }),
    );
  });

  it("shows no token of a call's metadata, of an error, of a message or of JSON in a message", () => {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${SECRET}`);
    const error = Object.assign(new Error(`refused: authorization: Bearer ${SECRET}`), { metadata, token: SECRET });
    const text = JSON.stringify({ headers: { authorization: SECRET } });
    for (const line of [logged({ err: error }), logged({}, `sent Bearer ${SECRET}`), logged({}, text)]) {
      expect(line).not.toContain(SECRET);
      expect(line).toContain(REDACTED);
    }
    expect(logged({ metadata })).not.toContain(SECRET);
    expect(logged({ call: { metadata: metadata.getMap() } })).not.toContain(SECRET);
  });

  it("shows no password of an address and no private key", () => {
    const key = `-----BEGIN EC PRIVATE KEY-----\n${SECRET}\n-----END EC PRIVATE KEY-----`;
    expect(logged({ store: `postgres://occam:${SECRET}@db:5432/occam`, pem: key })).not.toContain(SECRET);
    expect(logged({ pem: key.slice(0, 40) })).not.toContain(SECRET);
    expect(redact("postgres://occam:x@db/occam")).toBe(`postgres://occam:${REDACTED}@db/occam`);
  });

  it("keeps what is no secret", () => {
    const line = logged(
      { lease: "17", tokens: 3, path: "/var/token", url: "http://localhost:80/a@b" },
      "the token file",
    );
    expect(line).not.toContain(REDACTED);
  });
});

describe("a log record on the wire", () => {
  it("shows no secret either", () => {
    const entry = { timeMs: 1, level: "info" as const, message: `Bearer ${SECRET}`, fields: { password: SECRET } };
    expect(
      JSON.stringify(logToWire(entry), (_key, value: unknown) => (typeof value === "bigint" ? 0 : value)),
    ).not.toContain(SECRET);
  });
});
