/** The logarithm of the gamma function on the right half of the complex plane. */

export interface Complex {
  readonly re: number;
  readonly im: number;
}

/** B_2n / (2n (2n - 1)), n = 1 .. 8. */
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400];

/** From here on Stirling's eight terms reach 1e-16. */
const STIRLING_FROM = 10;

/**
 * ln Gamma(z), Re z > 0, on some branch of the logarithm: its exponential is Gamma(z) to about 14 digits. By the recurrence
 * Gamma(z) = Gamma(z + 1) / z up to Re z >= 10, and there by Stirling's series (Abramowitz and Stegun 6.1.41).
 */
export function logGamma(z: Complex): Complex {
  let { re } = z;
  let shiftRe = 0;
  let shiftIm = 0;
  for (; re < STIRLING_FROM; re += 1) {
    shiftRe += Math.log(Math.hypot(re, z.im));
    shiftIm += Math.atan2(z.im, re);
  }
  const series = stirling({ re, im: z.im });
  return { re: series.re - shiftRe, im: series.im - shiftIm };
}

/** (z - 1/2) ln z - z + ln(2 pi)/2 + sum_n c_n z^(1 - 2n). */
function stirling(z: Complex): Complex {
  const log: Complex = { re: Math.log(Math.hypot(z.re, z.im)), im: Math.atan2(z.im, z.re) };
  const head = times({ re: z.re - 0.5, im: z.im }, log);
  const square = z.re * z.re + z.im * z.im;
  const inverse: Complex = { re: z.re / square, im: -z.im / square };
  const inverseSquare = times(inverse, inverse);
  const sum = STIRLING.reduceRight<Complex>(
    (rest, term) => {
      const next = times(rest, inverseSquare);
      return { re: next.re + term, im: next.im };
    },
    { re: 0, im: 0 },
  );
  const tail = times(sum, inverse);
  return { re: head.re - z.re + Math.log(2 * Math.PI) / 2 + tail.re, im: head.im - z.im + tail.im };
}

function times(a: Complex, b: Complex): Complex {
  return { re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re };
}
