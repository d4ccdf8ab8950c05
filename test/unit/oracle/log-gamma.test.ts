import { describe, expect, test } from "vitest";
import { logGamma, type Complex } from "../../../src/oracle/log-gamma.ts";

describe("the gamma function", () => {
  test.each([1, 2, 5, 11, 18])("of the integer %i is a factorial", (n) => {
    const factorial = Array.from({ length: n - 1 }, (_, i) => i + 1).reduce((product, i) => product * i, 1);
    expect(Math.exp(logGamma({ re: n, im: 0 }).re) / factorial).toBeCloseTo(1, 12);
  });

  test.each([0, 0.01, 0.7, 3, 12, 40])("keeps |Gamma(1/2 + iy)|^2 = pi / cosh(pi y) at y = %f", (y) => {
    const { re } = logGamma({ re: 0.5, im: y });
    expect((2 * re - Math.log(Math.PI) + Math.log(Math.cosh(Math.PI * y))) / (1 + y)).toBeCloseTo(0, 12);
  });

  test.each<Complex>([
    { re: 0.2, im: 0.3 },
    { re: 0.01, im: -4 },
    { re: 0.49, im: 11 },
  ])("keeps the reflection formula Gamma(z) Gamma(1 - z) = pi / sin(pi z) at %j", (z) => {
    const [a, b] = [logGamma(z), logGamma({ re: 1 - z.re, im: -z.im })];
    const size = Math.exp(a.re + b.re);
    const gammas = { re: size * Math.cos(a.im + b.im), im: size * Math.sin(a.im + b.im) };
    const sine = {
      re: Math.sin(Math.PI * z.re) * Math.cosh(Math.PI * z.im),
      im: Math.cos(Math.PI * z.re) * Math.sinh(Math.PI * z.im),
    };
    expect((gammas.re * sine.re - gammas.im * sine.im) / Math.PI).toBeCloseTo(1, 11);
    expect((gammas.re * sine.im + gammas.im * sine.re) / Math.PI).toBeCloseTo(0, 11);
  });
});
