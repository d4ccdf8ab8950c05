/** The tensors of a sampler's kernel call by name: parameter p's are "position<p>", "gradient<p>" and so on. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../shape.ts";
import type { OwnPrograms } from "./own-program.ts";
import type { KernelCall } from "./register.ts";

export class Operands {
  readonly #programs: OwnPrograms;
  readonly #inputs: KernelCall["inputs"];
  readonly chains: number;
  /** Of each parameter, the numbers of one chain. */
  readonly sizes: readonly number[];

  constructor(programs: OwnPrograms, { inputs, attrs }: KernelCall) {
    this.#programs = programs;
    this.#inputs = inputs;
    this.chains = inputs["position0"]!.shape[0]!;
    this.sizes = Array.from({ length: attrs["parameters"] as number }, (_, p) =>
      sizeOf(inputs[`position${p}`]!.shape.slice(1)),
    );
  }

  has(name: string): boolean {
    return this.#inputs[name] !== undefined;
  }

  at(name: string): TensorInfo {
    return this.#inputs[name]!;
  }

  /** Parameter p's tensors of these lists. */
  of(p: number, lists: readonly string[]): Readonly<Record<string, TensorInfo>> {
    return Object.fromEntries(lists.map((list) => [list, this.at(`${list}${p}`)]));
  }

  /** New tensors like the positions. */
  outputs(): TensorInfo[] {
    return this.sizes.map((_, p) => this.#programs.output(this.at(`position${p}`).shape));
  }

  /** These vectors' numbers chain by chain, float32 [chains, vectors]. */
  rows(names: readonly string[]): Float32Array {
    const vectors = names.map((name) => this.#programs.valuesOf(this.at(name)));
    return Float32Array.from({ length: this.chains * names.length }, (_, i) => vectors[i % names.length]![Math.floor(i / names.length)]!); // prettier-ignore
  }
}
