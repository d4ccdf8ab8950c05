/**
 * Symmetric matrices in double precision: the Gram matrix of rows, and the eigenvalues of a matrix. What they say of a cell is
 * read down to 1e-10 of the largest eigenvalue, which float32 cannot tell from rounding.
 *
 * A matrix has `stride` numbers a row, an even number, and its lower triangle is what is read and written. Addresses in bytes.
 */
import { VECTOR } from "./simd";

/** Bytes of a number. */
const DOUBLE: usize = 8;
/** Rows and columns of a tile of a Gram matrix. */
const TILE: usize = 4;

/** a b + c */
// @ts-ignore: decorator
@inline
function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_madd(a, b, c);
  return f64x2.add(f64x2.mul(a, b), c);
}

/**
 * G += X X^T, its lower triangle, for X of 4 `groups` rows and `inner` columns.
 *
 * @param x packed by groups of four rows, each [inner x 4]
 * @param gram [4 groups x stride]; tiles on the diagonal are written whole
 */
export function gramAdd(x: usize, gram: usize, groups: usize, inner: usize, stride: usize): void {
  const panel = inner * TILE * DOUBLE;
  for (let i: usize = 0; i < groups; i += 1) {
    for (let j: usize = 0; j <= i; j += 1) {
      gramTile(x + i * panel, x + j * panel, gram + TILE * (i * stride + j) * DOUBLE, inner, stride * DOUBLE);
    }
  }
}

/** One tile of four by four: the products of two panels. */
function gramTile(a: usize, b: usize, c: usize, inner: usize, rowBytes: usize): void {
  const c1 = c + rowBytes;
  const c2 = c1 + rowBytes;
  const c3 = c2 + rowBytes;
  let s00 = v128.load(c);
  let s01 = v128.load(c, VECTOR);
  let s10 = v128.load(c1);
  let s11 = v128.load(c1, VECTOR);
  let s20 = v128.load(c2);
  let s21 = v128.load(c2, VECTOR);
  let s30 = v128.load(c3);
  let s31 = v128.load(c3, VECTOR);
  const end = b + inner * TILE * DOUBLE;
  for (; b < end; b += TILE * DOUBLE) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, VECTOR);
    const x0 = v128.load64_splat(a);
    s00 = multiplyAdd(x0, b0, s00);
    s01 = multiplyAdd(x0, b1, s01);
    const x1 = v128.load64_splat(a, DOUBLE);
    s10 = multiplyAdd(x1, b0, s10);
    s11 = multiplyAdd(x1, b1, s11);
    const x2 = v128.load64_splat(a, 2 * DOUBLE);
    s20 = multiplyAdd(x2, b0, s20);
    s21 = multiplyAdd(x2, b1, s21);
    const x3 = v128.load64_splat(a, 3 * DOUBLE);
    s30 = multiplyAdd(x3, b0, s30);
    s31 = multiplyAdd(x3, b1, s31);
    a += TILE * DOUBLE;
  }
  v128.store(c, s00);
  v128.store(c, s01, VECTOR);
  v128.store(c1, s10);
  v128.store(c1, s11, VECTOR);
  v128.store(c2, s20);
  v128.store(c2, s21, VECTOR);
  v128.store(c3, s30);
  v128.store(c3, s31, VECTOR);
}

/**
 * Eigenvalues of A [n x n], in no order, into `values`: Householder reflections to a tridiagonal matrix, from the last row up
 * (Golub and Van Loan, Matrix Computations, 4th ed., algorithm 8.3.1), then implicit QL with Wilkinson's shift (ibid., 8.3.3).
 * A is destroyed. Their errors are some n 2^-53 |A|. Returns how many were still moving at the limit of sweeps: 0 unless A has
 * numbers that are not finite.
 *
 * @param values n numbers
 * @param work 2 (n + 1) numbers
 */
export function symmetricEigenvalues(a: usize, values: usize, work: usize, n: usize, stride: usize): i32 {
  const even = n + (n & 1);
  tridiagonalise(a, values, work, work + even * DOUBLE, n, stride);
  return tridiagonalEigenvalues(values, work, n);
}

/** A = Q T Q^T: T's diagonal into `diagonal`, what stands below entry i of it into off[i]. */
function tridiagonalise(a: usize, diagonal: usize, off: usize, p: usize, n: usize, stride: usize): void {
  const rowBytes = stride * DOUBLE;
  store<f64>(off + (n - 1) * DOUBLE, 0);
  for (let i = n - 1; i > 0; i -= 1) {
    const row = a + i * rowBytes;
    store<f64>(diagonal + i * DOUBLE, load<f64>(row + i * DOUBLE));
    const last = row + (i - 1) * DOUBLE;
    const rest = dot(row, row, i - 1);
    const x = load<f64>(last);
    if (rest == 0) {
      store<f64>(off + (i - 1) * DOUBLE, x);
      continue;
    }
    // v = x - alpha e_last, alpha of the sign that adds up; v^T v / 2 = h.
    const square = rest + x * x;
    const alpha = -copysign<f64>(sqrt<f64>(square), x);
    const h = square - x * alpha;
    store<f64>(off + (i - 1) * DOUBLE, alpha);
    store<f64>(last, x - alpha);
    reflect(a, row, p, i, rowBytes, h);
  }
  store<f64>(diagonal, load<f64>(a));
}

/** A <- (I - v v^T / h) A (I - v v^T / h) on its first m rows and columns, as A - v q^T - q v^T. */
function reflect(a: usize, v: usize, p: usize, m: usize, rowBytes: usize, h: f64): void {
  timesVector(a, v, p, m, rowBytes);
  // p = A v / h, q = p - (v^T p / 2h) v
  const inverse = 1.0 / h;
  scale(p, m, inverse);
  addScaled(p, v, m, -0.5 * inverse * dot(v, p, m));
  for (let r: usize = 0; r < m; r += 1) {
    const row = a + r * rowBytes;
    subtractTwo(row, v, p, r + 1, load<f64>(p + r * DOUBLE), load<f64>(v + r * DOUBLE));
  }
}

/** p = A v from the lower triangle: each row gives its dot product and, transposed, its share of the rows above. */
function timesVector(a: usize, v: usize, p: usize, m: usize, rowBytes: usize): void {
  memory.fill(p, 0, m * DOUBLE);
  for (let r: usize = 0; r < m; r += 1) {
    const row = a + r * rowBytes;
    const x = load<f64>(v + r * DOUBLE);
    const sum = dotAndAdd(row, v, p, r, x) + load<f64>(row + r * DOUBLE) * x;
    store<f64>(p + r * DOUBLE, load<f64>(p + r * DOUBLE) + sum);
  }
}

/** The dot product of row and v, while p += x row. */
function dotAndAdd(row: usize, v: usize, p: usize, count: usize, x: f64): f64 {
  const whole = count & ~3;
  const xs = f64x2.splat(x);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let at: usize = 0;
  for (; at < whole * DOUBLE; at += 2 * VECTOR) {
    const r0 = v128.load(row + at);
    const r1 = v128.load(row + at, VECTOR);
    s0 = multiplyAdd(r0, v128.load(v + at), s0);
    s1 = multiplyAdd(r1, v128.load(v + at, VECTOR), s1);
    v128.store(p + at, multiplyAdd(r0, xs, v128.load(p + at)));
    v128.store(p + at, multiplyAdd(r1, xs, v128.load(p + at, VECTOR)), VECTOR);
  }
  let sum = sumPair(f64x2.add(s0, s1));
  for (; at < count * DOUBLE; at += DOUBLE) {
    const r = load<f64>(row + at);
    sum += r * load<f64>(v + at);
    store<f64>(p + at, load<f64>(p + at) + x * r);
  }
  return sum;
}

/** row -= x v + y p */
function subtractTwo(row: usize, v: usize, p: usize, count: usize, x: f64, y: f64): void {
  const pairs = count & ~1;
  const minusX = f64x2.splat(-x);
  const minusY = f64x2.splat(-y);
  let at: usize = 0;
  for (; at < pairs * DOUBLE; at += VECTOR) {
    const first = multiplyAdd(minusX, v128.load(v + at), v128.load(row + at));
    v128.store(row + at, multiplyAdd(minusY, v128.load(p + at), first));
  }
  for (; at < count * DOUBLE; at += DOUBLE) {
    store<f64>(row + at, load<f64>(row + at) - x * load<f64>(v + at) - y * load<f64>(p + at));
  }
}

function dot(a: usize, b: usize, count: usize): f64 {
  const pairs = count & ~1;
  let sums = f64x2.splat(0);
  let at: usize = 0;
  for (; at < pairs * DOUBLE; at += VECTOR) sums = multiplyAdd(v128.load(a + at), v128.load(b + at), sums);
  let sum = sumPair(sums);
  for (; at < count * DOUBLE; at += DOUBLE) sum += load<f64>(a + at) * load<f64>(b + at);
  return sum;
}

/** to += x from */
function addScaled(to: usize, from: usize, count: usize, x: f64): void {
  for (let at: usize = 0; at < count * DOUBLE; at += DOUBLE) {
    store<f64>(to + at, load<f64>(to + at) + x * load<f64>(from + at));
  }
}

function scale(to: usize, count: usize, x: f64): void {
  for (let at: usize = 0; at < count * DOUBLE; at += DOUBLE) store<f64>(to + at, load<f64>(to + at) * x);
}

// @ts-ignore: decorator
@inline
function sumPair(pair: v128): f64 {
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

/** Sweeps over one eigenvalue, at the most; two or three are usual. */
const MOST_SWEEPS = 60;

/** Implicit QL on the diagonal d and what stands below it; d ends as the eigenvalues. */
function tridiagonalEigenvalues(d: usize, off: usize, n: usize): i32 {
  const zero = negligible(d, off, n);
  let moving = 0;
  for (let l: usize = 0; l < n; l += 1) {
    let sweeps = 0;
    for (;;) {
      const m = blockEnd(off, l, n, zero);
      if (m == l) break;
      if (sweeps == MOST_SWEEPS) {
        moving += 1;
        break;
      }
      sweeps += 1;
      sweep(d, off, l, m);
    }
  }
  return moving;
}

/** What is no more than rounding of the matrix counts as zero. */
function negligible(d: usize, off: usize, n: usize): f64 {
  let largest = 0.0;
  for (let i: usize = 0; i < n; i += 1) {
    largest = max<f64>(largest, abs<f64>(load<f64>(d + i * DOUBLE)) + abs<f64>(load<f64>(off + i * DOUBLE)));
  }
  return largest * f64.EPSILON;
}

/** The first entry from l on below which there is nothing. */
function blockEnd(off: usize, l: usize, n: usize, zero: f64): usize {
  let m = l;
  while (m < n - 1 && !(abs<f64>(load<f64>(off + m * DOUBLE)) <= zero)) m += 1;
  return m;
}

/** One sweep over the block [l, m]: a rotation chases the bulge that the shift makes, from its end up. */
function sweep(d: usize, off: usize, l: usize, m: usize): void {
  const first = load<f64>(d + l * DOUBLE);
  const below = load<f64>(off + l * DOUBLE);
  const half = (load<f64>(d + (l + 1) * DOUBLE) - first) / (2 * below);
  const root = sqrt<f64>(half * half + 1);
  let g = load<f64>(d + m * DOUBLE) - first + below / (half + copysign<f64>(root, half));
  let sine = 1.0;
  let cosine = 1.0;
  let moved = 0.0;
  for (let i = m; i > l; i -= 1) {
    const e = load<f64>(off + (i - 1) * DOUBLE);
    const f = sine * e;
    const b = cosine * e;
    const length = sqrt<f64>(f * f + g * g);
    store<f64>(off + i * DOUBLE, length);
    if (length == 0) {
      // The block falls apart here.
      store<f64>(d + i * DOUBLE, load<f64>(d + i * DOUBLE) - moved);
      store<f64>(off + m * DOUBLE, 0);
      return;
    }
    sine = f / length;
    cosine = g / length;
    g = load<f64>(d + i * DOUBLE) - moved;
    const turned = (load<f64>(d + (i - 1) * DOUBLE) - g) * sine + 2 * cosine * b;
    moved = sine * turned;
    store<f64>(d + i * DOUBLE, g + moved);
    g = cosine * turned - b;
  }
  store<f64>(d + l * DOUBLE, load<f64>(d + l * DOUBLE) - moved);
  store<f64>(off + l * DOUBLE, g);
  store<f64>(off + m * DOUBLE, 0);
}
