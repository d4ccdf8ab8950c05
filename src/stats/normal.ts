/** The standard normal distribution. */

/**
 * Phi(z), to about 15 digits, relative also in the lower tail: Cody, "Rational Chebyshev Approximations for the Error Function",
 * Mathematics of Computation 23(107), 1969, with the coefficients of his ANORM (TOMS 715, 1993).
 */
export function normalCdf(z: number): number {
  if (Number.isNaN(z)) return Number.NaN;
  if (Math.abs(z) <= CODY_CENTRE_END) return 0.5 + z * ratio(CODY_CENTRE, z * z);
  const tail = lowerTail(Math.abs(z));
  return z > 0 ? 1 - tail : tail;
}

const CODY_CENTRE_END = 0.67448975;

/** Phi(-x) for x > 0.67. */
function lowerTail(x: number): number {
  // Below the smallest float64.
  if (x > 38.6) return 0;
  // exp(-x^2 / 2), with x^2 as the square of a sixteenth, which is exact, and a small rest.
  const near = Math.trunc(16 * x) / 16;
  const density = Math.exp((-near * near) / 2) * Math.exp((-(x - near) * (x + near)) / 2);
  if (x <= Math.sqrt(32)) return density * ratio(CODY_MIDDLE, x);
  const square = 1 / (x * x);
  return (density * (1 / Math.sqrt(2 * Math.PI) - square * ratio(CODY_TAIL, square))) / x;
}

/** A polynomial, highest power first. */
function horner(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}

/**
 * The inverse of Phi, to about 16 digits: Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution",
 * Applied Statistics 37(3), 1988, routine PPND16. NaN outside of [0, 1].
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return Number.NaN;
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(AS241_CENTRE, 0.180625 - q * q);
  const tail = Math.min(p, 1 - p);
  if (tail === 0) return q < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const r = Math.sqrt(-Math.log(tail));
  const z = r <= 5 ? ratio(AS241_MIDDLE, r - 1.6) : ratio(AS241_TAIL, r - 5);
  return q < 0 ? -z : z;
}

/** A rational function; coefficients highest power first, the published ones rounded to float64. */
interface Rational {
  readonly over: readonly number[];
  readonly under: readonly number[];
}

const ratio = (rational: Rational, x: number): number => horner(rational.over, x) / horner(rational.under, x);

const AS241_CENTRE: Rational = {
  over: [
    2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513,
    133.14166789178438, 3.3871328727963665,
  ],
  under: [
    5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579,
    42.31333070160091, 1,
  ],
};
const AS241_MIDDLE: Rational = {
  over: [
    7.745450142783414e-4, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
    5.769497221460691, 4.630337846156546, 1.4234371107496835,
  ],
  under: [
    1.0507500716444169e-9, 5.475938084995345e-4, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
    1.6763848301838038, 2.053191626637759, 1,
  ],
};
const AS241_TAIL: Rational = {
  over: [
    2.0103343992922881e-7, 2.7115555687434876e-5, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487,
    1.7848265399172913, 5.463784911164114, 6.657904643501103,
  ],
  under: [
    2.0442631033899397e-15, 1.421511758316446e-7, 1.8463183175100548e-5, 7.868691311456133e-4, 0.014875361290850615,
    0.1369298809227358, 0.599832206555888, 1,
  ],
};

const CODY_CENTRE: Rational = {
  over: [0.06568233791820745, 2.2352520354606837, 161.02823106855587, 1067.6894854603709, 18154.98125334356],
  under: [1, 47.202581904688245, 976.0985517377767, 10260.932208618979, 45507.78933502673],
};
const CODY_MIDDLE: Rational = {
  over: [
    1.0765576773720192e-8, 0.39894151208813466, 8.883149794388377, 93.50665613217785, 597.2702763948002,
    2494.5375852903726, 6848.190450536283, 11602.65143764735, 9842.714838383978,
  ],
  under: [
    1, 22.266688044328117, 235.387901782625, 1519.3775994075547, 6485.558298266761, 18615.571640885097,
    34900.95272114598, 38912.00328609327, 19685.429676859992,
  ],
};
const CODY_TAIL: Rational = {
  over: [
    0.023073441764940174, 0.215898534057957, 0.12740116116024736, 0.022235277870649807, 0.0014216191932278934,
    2.9112874951168793e-5,
  ],
  under: [1, 1.284260096144911, 0.4682382124808651, 0.06598813786892856, 0.0037823963320275824, 7.297515550839662e-5],
};
