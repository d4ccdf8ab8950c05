/**
 * One architecture on one small task with K members of different weights and inputs: its forward pass, and the loss
 * L[k] = sum_i r_i f(w[k])_i with fixed random r and its gradient. The projection is taken in double precision, so that the
 * rounding of float32 enters through f alone.
 */
import { inputSize, type Architecture, type Config, type Parameter, type Task } from "../../src/catalogue/entry.ts";
import type { Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import { smallRows } from "./small-tasks.ts";
import { normals, sizeOf, stack, unstack, type Stack } from "./stacked.ts";

export const ROWS = 3;

export class ModelUnderTest {
  readonly parameters: readonly Parameter[];
  readonly #tf: Tf;
  readonly #architecture: Architecture;
  readonly #config: Config;
  readonly #task: Task;

  constructor(tf: Tf, architecture: Architecture, config: Config, task: Task) {
    this.#tf = tf;
    this.#architecture = architecture;
    this.#config = config;
    this.#task = task;
    this.parameters = architecture.parameters(config, task);
  }

  /** Weights of one member, by parameter: spread around the initial values, so that no parameter is at a special point. */
  weights(member: number): readonly Float32Array[] {
    return this.parameters.map(({ name, shape, initial }) => {
      const constant = initial.kind === "constant" ? initial.value : 0;
      return normals(`${name}/${member}`, sizeOf(shape), 0.4, constant);
    });
  }

  /** What `forward` reads for one member. */
  input(member: number): Float32Array {
    const stored = smallRows(this.#task, ROWS, `input/${member}`);
    return this.#architecture.prepare?.(this.#config, this.#task, stored, ROWS) ?? stored;
  }

  get preparedSize(): number {
    return this.#architecture.preparedSize(this.#config, this.#task);
  }

  get storedSize(): number {
    return inputSize(this.#task.input);
  }

  /** Stacked weights of these members, by parameter. */
  stackWeights(members: readonly number[]): readonly Tensor[] {
    const all = members.map((member) => this.weights(member));
    return this.parameters.map(({ shape }, index) =>
      stack(
        this.#tf,
        all.map((weights) => weights[index]!),
        shape,
      ),
    );
  }

  stackInput(members: readonly number[]): Tensor3D {
    const inputs = members.map((member) => this.input(member));
    return stack(this.#tf, inputs, [ROWS, this.preparedSize]) as Tensor3D;
  }

  forward(weights: readonly Tensor[], input: Tensor3D, hidden = (activation: Tensor3D) => activation): Tensor3D {
    return this.#architecture.forward({ tf: this.#tf, hidden }, this.#config, this.#task, weights, input);
  }

  /** r: the same for every member. */
  projection(length: number): Float32Array {
    return normals("projection", length);
  }

  /** L[k] in double precision. */
  losses(outputs: Stack): readonly number[] {
    const r = this.projection(outputs[0]!.length);
    return outputs.map((values) => values.reduce((sum, value, i) => sum + value * r[i]!, 0));
  }

  /** The gradient of sum_k L[k] with respect to each stacked parameter; L[k] depends on member k alone. */
  gradients(weights: readonly Tensor[], input: Tensor3D): readonly Tensor[] {
    const tf = this.#tf;
    const loss = (...tensors: Tensor[]): Tensor => {
      const output = this.forward(tensors, input);
      const [members, rows, width] = output.shape;
      const r = this.projection(rows * width);
      return tf.sum(
        tf.mul(
          output,
          stack(
            tf,
            Array.from({ length: members }, () => r),
            [rows, width],
          ),
        ),
      );
    };
    return tf.grads(loss)([...weights]);
  }

  /** Outputs and gradients of these members in one program. */
  run(members: readonly number[]): { readonly outputs: Stack; readonly gradients: readonly Stack[] } {
    return this.#tf.tidy(() => {
      const weights = this.stackWeights(members);
      const input = this.stackInput(members);
      const outputs = unstack(this.forward(weights, input));
      return { outputs, gradients: this.gradients(weights, input).map(unstack) } as never;
    });
  }
}
