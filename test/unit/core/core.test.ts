import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs, RECONNECT } from "../../../src/core/backoff.ts";
import { canonicalJson, PrefixHash, sha256Hex, type Json } from "../../../src/core/canonical-json.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { EXIT_OF, invariant, OccamError, RETRYABLE } from "../../../src/core/errors.ts";
import { createLogger } from "../../../src/core/log.ts";
import { rootKey } from "../../../src/core/random.ts";
import { PACKAGE_VERSION } from "../../../src/core/version.ts";

describe("the hash of texts that begin alike", () => {
  it("is that of the whole text, whatever was hashed before", () => {
    const text = fc.string({ unit: "binary", size: "max", maxLength: 2_000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.array(text)), { maxLength: 8 }), (given) => {
        const hash = new PrefixHash();
        for (const [prefix, rests] of given)
          for (const rest of rests) expect(hash.hex(prefix, rest)).toBe(sha256Hex(prefix + rest));
      }),
    );
  });
});

describe("canonical JSON", () => {
  it("does not depend on the order of keys, at any depth", () => {
    const reversed = (value: Json): Json => {
      if (value === null || typeof value !== "object") return value;
      if (Array.isArray(value)) return value.map((item: Json) => reversed(item));
      return Object.fromEntries(
        Object.entries(value as Record<string, Json>)
          .reverse()
          .map(([key, field]) => [key, reversed(field)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(reversed(value as Json))).toBe(canonicalJson(value as Json));
      }),
    );
  });

  it("reads back as the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value as Json))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("writes numbers in one way and refuses those that JSON does not have", () => {
    expect(canonicalJson([1, 1.0, 1, -0, 0.1, 1e21, 1e-7])).toBe("[1,1,1,0,0.1,1e+21,1e-7]");
    expect(() => canonicalJson(Number.NaN)).toThrow(OccamError);
    expect(() => canonicalJson({ a: Number.POSITIVE_INFINITY })).toThrow(OccamError);
  });
});

describe("backoff", () => {
  it("stays between half the base and the cap, and grows", () => {
    const key = rootKey("a worker");
    fc.assert(
      fc.property(fc.nat(200), (attempt) => {
        const ms = backoffMs(key, attempt, RECONNECT);
        expect(ms).toBeGreaterThanOrEqual(RECONNECT.baseMs / 2);
        expect(ms).toBeLessThanOrEqual(RECONNECT.capMs);
        expect(ms).toBeLessThanOrEqual(Math.max(RECONNECT.baseMs * 2 ** attempt, RECONNECT.baseMs));
      }),
    );
    const mean = (attempt: number): number =>
      Array.from({ length: 100 }, (_, i) => backoffMs(rootKey(`worker ${i}`), attempt, RECONNECT)).reduce(
        (sum, ms) => sum + ms / 100,
        0,
      );
    expect(mean(3)).toBeGreaterThan(2 * mean(0));
  });
});

describe("errors", () => {
  it("say where, what and how to mend it", () => {
    const error = new OccamError("bad-spec", 'unknown kind "adamm"', {
      where: "a.yaml:3:5",
      hint: 'did you mean "adam"?',
    });
    expect(error.toUserText()).toBe('a.yaml:3:5: unknown kind "adamm"\n  did you mean "adam"?');
    expect(new OccamError("internal", "x").toUserText()).toBe("x");
  });

  it("answer for every code whether to retry and which exit code to end with", () => {
    expect(Object.keys(RETRYABLE).sort()).toEqual(Object.keys(EXIT_OF).sort());
    expect(Object.values(EXIT_OF).every((code) => code > 0 && code < 126)).toBe(true);
  });

  it("stop on a broken invariant", () => {
    expect(() => invariant(false, "one is two")).toThrow("broken invariant: one is two");
    expect(() => invariant(0, "zero is a value")).not.toThrow();
  });
});

describe("the system clock", () => {
  it("wakes a sleeper whose signal aborts", async () => {
    const abort = new AbortController();
    const startMs = systemClock.monotonicMs();
    const sleep = systemClock.sleep(60_000, abort.signal);
    abort.abort();
    await sleep;
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(10_000);
  });

  it("does not call a timer that was cancelled", async () => {
    let called = false;
    systemClock.after(5, () => (called = true))();
    await systemClock.sleep(30);
    expect(called).toBe(false);
  });
});

describe("logs", () => {
  it("never hold a secret", () => {
    const lines: string[] = [];
    const log = createLogger({ component: "cli", level: "info", destination: { write: (line) => lines.push(line) } });
    log.info({ token: "s3cret", headers: { authorization: "Bearer s3cret" }, password: "s3cret" }, "hello");
    expect(lines.join("")).not.toContain("s3cret");
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: "info", component: "cli", token: "[redacted]", msg: "hello" });
  });
});

describe("the version", () => {
  it("is the one in package.json", () => {
    expect(PACKAGE_VERSION).toMatch(/^\d+\.\d+\.\d+/);
    expect(PACKAGE_VERSION).not.toBe("0.0.0");
  });
});
