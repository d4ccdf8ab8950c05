/** The tensors of a sampler's kernel call by name: parameter p's are "position<p>", "gradient<p>" and so on. */
import type { WasmHeap } from "./heap.ts";
import type { KernelCall } from "./register.ts";

export class Operands {
  readonly #heap: WasmHeap;
  readonly #inputs: KernelCall["inputs"];
  readonly parameters: number;
  readonly chains: number;

  constructor(heap: WasmHeap, { inputs, attrs }: KernelCall) {
    this.#heap = heap;
    this.#inputs = inputs;
    this.parameters = attrs["parameters"] as number;
    this.chains = inputs["position0"]!.shape[0]!;
  }

  /** Address of a tensor; 0 where the call has no such tensor. */
  at(name: string): number {
    const tensor = this.#inputs[name];
    return tensor === undefined ? 0 : this.#heap.at(tensor);
  }

  shape(name: string): readonly number[] {
    return this.#inputs[name]!.shape;
  }

  /** Numbers of parameter p in one chain. */
  size(p: number): number {
    return this.shape(`position${p}`)
      .slice(1)
      .reduce((product, length) => product * length, 1);
  }
}
