/** erf and the standard normal distribution function in float64, for what is to be right to the last bits of float32. */

/** 1 - erf x for x >= 0, right to 1e-13 of itself. */
function complement(x: number): number {
  if (x < 2.5) return 1 - series(x);
  // Abramowitz and Stegun 7.1.14: sqrt(pi) e^(x^2) erfc x = 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))).
  let fraction = 0;
  for (let n = 120; n >= 1; n -= 1) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

/** Abramowitz and Stegun 7.1.6: erf x = 2/sqrt(pi) e^(-x^2) sum over n of 2^n x^(2n+1) / (1 3 5 .. (2n+1)). */
function series(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; term > 1e-18 * sum; n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return ((2 * sum) / Math.sqrt(Math.PI)) * Math.exp(-x * x);
}

export function errorFunction(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  const magnitude = Math.abs(x);
  return Math.sign(x) * (magnitude < 2.5 ? series(magnitude) : 1 - complement(magnitude));
}

/** Phi(x) */
export function normalDistribution(x: number): number {
  const upper = complement(Math.abs(x) / Math.SQRT2) / 2;
  return x < 0 ? upper : 1 - upper;
}

export function normalDensity(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}
