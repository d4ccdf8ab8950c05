/**
 * How fast an engine is at what it is for: a whole training step (forward, backward, Adam) of 32 fused networks 64-128-128-10 on
 * batches of 128, through the code that trains. In 10^9 floating-point operations a second, counting products alone, so that it
 * can be held against a device's peak.
 */
import { architectureOf, optimizerOf, regulariserOf, DATASETS } from "../src/catalogue/registry.ts";
import type { Config, Task } from "../src/catalogue/entry.ts";
import { cellOf, type Cell } from "../src/spec/cell.ts";
import { NO_ESTIMATE } from "../src/spec/estimate-section.ts";
import type { Engine } from "./engine/engine.ts";
import { type Batch, type Program } from "./engine/program.ts";
import { sizeOf } from "./engine/shape.ts";
import { FusedUpdate } from "./train/fused-update.ts";
import { memberOf } from "./train/members.ts";

const MEMBERS = 32;
const ROWS = 128;
const LAYERS = [64, 128, 128, 10] as const;
const [INPUTS, , , CLASSES] = LAYERS;

/** V8 compiles what it runs through, and a GPU its kernels; then steps are timed. */
const WARM_UP_MS = 500;
const TIMED_MS = 500;
/** Steps that a device works through before it is waited for, as in training. */
const STEPS_A_READING = 4;

const TASK: Task = {
  input: { kind: "vector", size: INPUTS },
  output: { kind: "classes", classes: CLASSES, positions: 1 },
  trainRows: ROWS,
  testRows: ROWS,
};

/** Multiply-adds count two. A layer has three products: y = x w, dw = x^T dy, dx = dy w^T, the last one but for the first layer. */
export function flopsOfStep(): number {
  const products = LAYERS.slice(1).map((width, layer) => (layer === 0 ? 2 : 3) * 2 * LAYERS[layer]! * width);
  return MEMBERS * ROWS * products.reduce((sum, flops) => sum + flops, 0);
}

export function fusedStepGflops(engine: Engine): number {
  const { tf, clock } = engine;
  const update = FusedUpdate.start(programOn(engine), membersCells().map((cell) => memberOf(cell, 0))); // prettier-ignore
  const batch = syntheticBatch(engine);
  const reading = (): number => {
    const startMs = clock.monotonicMs();
    for (let i = 0; i < STEPS_A_READING; i += 1) update.apply(batch, 1, 1).dispose();
    tf.tidy(() => tf.slice(tf.reshape(update.weights.at(-1)!, [-1]), 0, 1).dataSync());
    return (clock.monotonicMs() - startMs) / STEPS_A_READING;
  };
  // The fastest: whatever else the machine does only ever adds time.
  const fastestMs = (duringMs: number): number => {
    const endMs = clock.monotonicMs() + duringMs;
    let fastest = Infinity;
    do fastest = Math.min(fastest, reading());
    while (clock.monotonicMs() < endMs);
    return fastest;
  };
  try {
    fastestMs(WARM_UP_MS);
    return flopsOfStep() / fastestMs(TIMED_MS) / 1e6;
  } finally {
    update.dispose();
    tf.dispose([batch.input, batch.targets]);
  }
}

function architectureConfig(): Config {
  const fields = architectureOf({ kind: "mlp" }).schema.parse({ activation: "relu", depth: 2, width: LAYERS[1] });
  return { kind: "mlp", ...(fields as Omit<Config, "kind">) };
}

/** What `openProgram` gives for a cell, for a task that no dataset has to be loaded for. */
function programOn(engine: Engine): Program {
  const config = architectureConfig();
  const architecture = architectureOf(config);
  const parameters = architecture.parameters(config, TASK);
  const parameterCount = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { engine, architecture, config, task: TASK, parameters, parameterCount, positions: 1 };
}

/** Cells that say how to train; their data are not read. */
function membersCells(): readonly Cell[] {
  const given = (kind: string, schema: { parse(value: unknown): unknown }): Config => ({ kind, ...(schema.parse({}) as Omit<Config, "kind">) }); // prettier-ignore
  const [data] = DATASETS;
  const config = {
    data: given(data!.kind, data!.schema),
    architecture: architectureConfig(),
    optimizer: given("adam", optimizerOf({ kind: "adam" }).schema),
    regulariser: given("none", regulariserOf({ kind: "none" }).schema),
    train: { steps: 1, batch: ROWS, schedule: "constant", evalEvery: 1, stopTrainLoss: null },
    estimate: NO_ESTIMATE,
  } as const;
  return Array.from({ length: MEMBERS }, (_, seed) => cellOf({ ...config, seed: String(seed) }));
}

/** Rows of waves, no two alike, and a class for each in turn. The caller owns the tensors. */
function syntheticBatch({ tf }: Engine): Batch {
  const rows = MEMBERS * ROWS;
  const input = Float32Array.from({ length: rows * INPUTS }, (_, i) => Math.sin(i));
  const targets = new Float32Array(rows * CLASSES);
  for (let row = 0; row < rows; row += 1) targets[row * CLASSES + (row % CLASSES)] = 1;
  return {
    input: tf.tensor3d(input, [MEMBERS, ROWS, INPUTS]),
    targets: tf.tensor3d(targets, [MEMBERS, ROWS, CLASSES]),
  };
}
