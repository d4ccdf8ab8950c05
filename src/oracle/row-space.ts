/** Row spaces of small dense matrices in float64, by Gram-Schmidt with pivoting. */

/** Row-major, [rows, columns]. */
export interface Matrix {
  readonly values: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

export function identityBasis(width: number): Matrix {
  const values = new Float64Array(width * width);
  for (let i = 0; i < width; i += 1) values[i * width + i] = 1;
  return { values, rows: width, columns: width };
}

/**
 * An orthonormal basis (its rows) of the image of a subspace under x -> x W. `basis` has orthonormal rows; a row of basis W
 * counts as long as its part outside of the rows already taken is longer than `tolerance` |W|_F.
 */
export function imageOf(basis: Matrix, layer: Matrix, tolerance: number): Matrix {
  return orthonormalRows(multiply(basis, layer), tolerance * Math.hypot(...rowNorms(layer)));
}

function multiply(a: Matrix, b: Matrix): Matrix {
  const values = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i += 1) {
    for (let k = 0; k < a.columns; k += 1) {
      const factor = a.values[i * a.columns + k]!;
      if (factor === 0) continue;
      for (let j = 0; j < b.columns; j += 1) values[i * b.columns + j]! += factor * b.values[k * b.columns + j]!;
    }
  }
  return { values, rows: a.rows, columns: b.columns };
}

/**
 * Takes the longest remaining row, normalises it and removes its direction from the others, until none is longer than `least`.
 * Each row taken is projected once more against all before it, which keeps the basis orthonormal to rounding.
 */
function orthonormalRows(matrix: Matrix, least: number): Matrix {
  const { columns } = matrix;
  const remaining = Array.from({ length: matrix.rows }, (_, i) => matrix.values.slice(i * columns, (i + 1) * columns));
  const taken: Float64Array[] = [];
  while (remaining.length > 0) {
    const norms = remaining.map((row) => Math.sqrt(dot(row, row)));
    const longest = norms.indexOf(Math.max(...norms));
    if (!(norms[longest]! > least)) break;
    const [row] = remaining.splice(longest, 1);
    for (const unit of taken) removeDirection(row!, unit);
    const norm = Math.sqrt(dot(row!, row!));
    const unit = row!.map((value) => value / norm);
    for (const other of remaining) removeDirection(other, unit);
    taken.push(unit);
  }
  const values = new Float64Array(taken.length * columns);
  taken.forEach((row, i) => values.set(row, i * columns));
  return { values, rows: taken.length, columns };
}

function removeDirection(row: Float64Array, unit: Float64Array): void {
  const along = dot(row, unit);
  for (let i = 0; i < row.length; i += 1) row[i]! -= along * unit[i]!;
}

function rowNorms(matrix: Matrix): readonly number[] {
  return Array.from({ length: matrix.rows }, (_, i) => {
    const row = matrix.values.subarray(i * matrix.columns, (i + 1) * matrix.columns);
    return Math.sqrt(dot(row, row));
  });
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i += 1) sum += x[i]! * y[i]!;
  return sum;
}
