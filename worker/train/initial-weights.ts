/** Where members start: weights drawn from each one's key, by what its own architecture says of each parameter. */
import type { Initial, Tensor } from "../../src/catalogue/entry.ts";
import { architectureOf } from "../../src/catalogue/registry.ts";
import { taskOf } from "../../src/spec/cell.ts";
import { type Program } from "../engine/program.ts";
import { sizeOf } from "../engine/shape.ts";
import type { Member } from "./members.ts";

/**
 * Initial weights [K, ...shape] by parameter: center + std n, n ~ N(0, 1). Members of one program share its shapes; the
 * scale of their weights is each one's own. The caller owns the tensors.
 */
export function initialWeights(program: Program, members: readonly Member[]): readonly Tensor[] {
  const { tf, noise } = program.engine;
  const initials = members.map(initialsOf);
  return program.parameters.map(({ shape }, index) =>
    tf.tidy(() => {
      const own = initials.map((each) => each[index]!);
      const streams = members.map(({ keys }, k) =>
        own[k]!.kind === "normal" ? { key: keys.initial, a: 0, b: index } : undefined,
      );
      // As rows of numbers, whose shape broadcasts whatever the rank of the parameter.
      const normals = tf.reshape(noise.normals(streams, shape), [members.length, sizeOf(shape)]);
      const column = (of: (initial: Initial) => number): Tensor => tf.tensor2d(own.map(of), [members.length, 1]);
      const weights = tf.add(tf.mul(normals, column(stdOf)), column(centerOf));
      return tf.reshape(weights, [members.length, ...shape]);
    }),
  );
}

function initialsOf({ cell }: Member): readonly Initial[] {
  const { architecture } = cell.config;
  return architectureOf(architecture)
    .parameters(architecture, taskOf(cell.config))
    .map(({ initial }) => initial);
}

const stdOf = (initial: Initial): number => (initial.kind === "normal" ? initial.std : 0);
const centerOf = (initial: Initial): number => (initial.kind === "normal" ? 0 : initial.value);
