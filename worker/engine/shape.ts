/** Numbers in a tensor of this shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
