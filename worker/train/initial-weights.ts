/**
 * Where members start: weights drawn from each one's key, by what its own architecture says of each parameter, or those that
 * the architecture names (`train.start`).
 */
import type { Initial, Tensor } from "../../src/catalogue/entry.ts";
import { architectureOf } from "../../src/catalogue/registry.ts";
import { taskOf } from "../../src/spec/cell.ts";
import { namedStart } from "../../src/spec/start.ts";
import { type Program } from "../engine/program.ts";
import { sizeOf } from "../engine/shape.ts";
import type { Member } from "./members.ts";

/** How a parameter of one member starts. */
type Beginning = Initial | { readonly kind: "given"; readonly values: Float32Array };

/**
 * Initial weights [K, ...shape] by parameter: center + std n, n ~ N(0, 1), or the values given. Members of one program share its
 * shapes; the scale of their weights is each one's own. The caller owns the tensors.
 */
export function initialWeights(program: Program, members: readonly Member[]): readonly Tensor[] {
  const { tf, noise } = program.engine;
  const beginnings = members.map(beginningsOf);
  return program.parameters.map(({ shape }, index) =>
    tf.tidy(() => {
      const own = beginnings.map((each) => each[index]!);
      const streams = members.map(({ keys }, k) =>
        own[k]!.kind === "normal" ? { key: keys.initial, a: 0, b: index } : undefined,
      );
      // As rows of numbers, whose shape broadcasts whatever the rank of the parameter.
      const normals = tf.reshape(noise.normals(streams, shape), [members.length, sizeOf(shape)]);
      const column = (of: (beginning: Beginning) => number): Tensor => tf.tensor2d(own.map(of), [members.length, 1]);
      const drawn = tf.add(tf.mul(normals, column(stdOf)), column(centerOf));
      const given = givenValues(own, sizeOf(shape));
      // 0 is added to the members that have nothing given: to no effect.
      const weights = given === undefined ? drawn : tf.add(drawn, tf.tensor2d(given, [members.length, sizeOf(shape)]));
      return tf.reshape(weights, [members.length, ...shape]);
    }),
  );
}

function beginningsOf({ cell }: Member): readonly Beginning[] {
  const { architecture } = cell.config;
  const named = namedStart(cell.config);
  return architectureOf(architecture)
    .parameters(architecture, taskOf(cell.config))
    .map(({ initial }, index) => {
      const values = named?.[index];
      return values === undefined ? initial : { kind: "given", values };
    });
}

const stdOf = (beginning: Beginning): number => (beginning.kind === "normal" ? beginning.std : 0);
const centerOf = (beginning: Beginning): number => (beginning.kind === "constant" ? beginning.value : 0);

/** The values that are given, [members x size], zeros for the other members; undefined when none are. */
function givenValues(own: readonly Beginning[], size: number): Float32Array | undefined {
  if (own.every(({ kind }) => kind !== "given")) return undefined;
  const all = new Float32Array(own.length * size);
  own.forEach((beginning, member) => {
    if (beginning.kind === "given") all.set(beginning.values, member * size);
  });
  return all;
}
