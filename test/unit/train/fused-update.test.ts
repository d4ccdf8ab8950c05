import { beforeAll, describe, expect, test } from "vitest";
import { OPTIMIZERS } from "../../../src/catalogue/registry.ts";
import { fuseKeyOf, type Cell } from "../../../src/spec/cell.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram } from "../../../worker/engine/program.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { FusedUpdate } from "../../../worker/train/fused-update.ts";
import { initialWeights } from "../../../worker/train/initial-weights.ts";
import { byOptimizer, memberOf, type Member } from "../../../worker/train/members.ts";
import { bitsOf, unstack } from "../../support/stacked.ts";
import { tinyCell, type Given } from "../../support/tiny-cells.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine("wasm");
});

const KINDS = OPTIMIZERS.map(({ kind }) => kind);
const PENALTIES: readonly Given[] = [
  { kind: "none" },
  { kind: "l1", strength: 0.01 },
  { kind: "l2", strength: 0.1 },
  { kind: "weight-decay", strength: 0.2 },
];

/** Every optimizer with every penalty. */
const cells = KINDS.flatMap((kind, i) =>
  PENALTIES.map((regulariser, j) =>
    tinyCell({ optimizer: { kind, learningRate: 0.01 }, regulariser, seed: 10 * i + j }),
  ),
);
const members = byOptimizer(cells.map((cell) => memberOf(cell, 0)));

/** Takes these kernels away while `work` runs. */
async function without<T>(kinds: readonly string[], work: () => Promise<T>): Promise<T> {
  const { tf } = engine;
  const taken = kinds.map((kind) => tf.getKernel(`OccamUpdate-${kind}`, "wasm"));
  for (const { kernelName } of taken) tf.unregisterKernel(kernelName, "wasm");
  try {
    return await work();
  } finally {
    for (const kernel of taken) tf.registerKernel(kernel);
  }
}

interface Steps {
  readonly from: number;
  readonly to: number;
}

/** Updates with a falling learning rate; the rows of a batch depend on the step alone. */
function descend(data: FusedData, update: FusedUpdate, { from, to }: Steps): void {
  const batch = 8;
  for (let step = from; step <= to; step += 1) {
    const rows = Int32Array.from(
      { length: update.members.length * batch },
      (_, i) => (5 * step + 3 * (i % batch)) % 64,
    );
    const drawn = data.gather("train", update.members.map(({ dataset }) => dataset), rows); // prettier-ignore
    engine.tf.dispose([update.apply(drawn, step, 1 / step), drawn.input, drawn.targets]);
  }
}

async function opened<T>(
  cell: Cell,
  work: (program: ReturnType<typeof openProgram>, data: FusedData) => T,
): Promise<T> {
  const program = openProgram(engine, cell.config);
  const data = new FusedData(program, [await engine.datasets.load(cell.config.data)]);
  try {
    return work(program, data);
  } finally {
    data.dispose();
  }
}

/** Weights of each member after some updates. */
function trained(of: readonly Member[], steps: number): Promise<readonly (readonly Float32Array[])[]> {
  return opened(of[0]!.cell, (program, data) => {
    const update = FusedUpdate.start(program, of);
    descend(data, update, { from: 1, to: steps });
    const weights = of.map((_, k) => update.weightsOf(k));
    update.dispose();
    return weights;
  });
}

const allBits = (weights: readonly Float32Array[]): readonly number[] => weights.flatMap(bitsOf);

describe("the kernels of the updates", () => {
  test("are there for every optimizer of the catalogue", () => {
    for (const kind of KINDS) expect(engine.tf.getKernel(`OccamUpdate-${kind}`, "wasm"), kind).toBeTruthy();
  });

  test("train as the plain rules and hooks do: bitwise, but for Adam's corrections", async () => {
    const [own, plain] = [await trained(members, 12), await without(KINDS, () => trained(members, 12))];
    members.forEach(({ cell }, k) => {
      const { optimizer, regulariser } = cell.config;
      const name = `${optimizer.kind} with ${regulariser.kind}`;
      if (!optimizer.kind.startsWith("adam")) expect(allBits(own[k]!), name).toEqual(allBits(plain[k]!));
      own[k]!.forEach((weights, p) =>
        weights.forEach((w, i) => expect(Math.abs(w - plain[k]![p]![i]!), name).toBeLessThan(1e-5)),
      );
    });
  });

  test("give the same bits beside an optimizer that has none", async () => {
    const whole = await trained(members, 5);
    for (const kind of ["sgd", "adam", "lion"]) {
      const mixed = await without([kind], () => trained(members, 5));
      members.forEach(({ cell }, k) => {
        if (cell.config.optimizer.kind === kind) return;
        expect(allBits(mixed[k]!), `${cell.config.optimizer.kind} beside ${kind}`).toEqual(allBits(whole[k]!));
      });
    }
  });

  test("leave no tensor, and as many during 100 steps, whether all, some or none are there", async () => {
    for (const kinds of [[], ["lion"], KINDS]) {
      await without(kinds, () =>
        opened(cells[0]!, (program, data) => {
          const before = engine.memory().tensors;
          const update = FusedUpdate.start(program, members);
          const counts = new Set<number>();
          descend(data, update, { from: 1, to: 2 });
          for (let step = 3; step <= 100; step += 1) {
            descend(data, update, { from: step, to: step });
            counts.add(engine.memory().tensors);
          }
          expect(counts.size).toBe(1);
          update.dispose();
          expect(engine.memory().tensors).toBe(before);
        }),
      );
    }
  });
});

describe("members that are kept", () => {
  test("go on with their slots, bitwise as if nobody had left", async () => {
    await opened(cells[0]!, (program, data) => {
      const whole = FusedUpdate.start(program, members);
      descend(data, whole, { from: 1, to: 4 });
      const kept = members.map((_, k) => k).filter((k) => k % 3 === 1);
      const packed = whole.keeping(kept);
      descend(data, whole, { from: 5, to: 9 });
      descend(data, packed, { from: 5, to: 9 });
      expect(packed.members).toEqual(kept.map((k) => members[k]));
      kept.forEach((k, place) => expect(allBits(packed.weightsOf(place))).toEqual(allBits(whole.weightsOf(k))));
      whole.dispose();
      packed.dispose();
    });
  });
});

describe("the scale of initial weights", () => {
  const mlp = (initScale: number, width = 4): Cell =>
    tinyCell({ architecture: { kind: "mlp", activation: "tanh", depth: 1, width, initScale } });

  test("is no reason to run cells apart, as their shapes are", () => {
    expect(fuseKeyOf(mlp(0.5).config)).toBe(fuseKeyOf(mlp(2).config));
    expect(fuseKeyOf(mlp(2).config)).not.toBe(fuseKeyOf(mlp(2, 5).config));
    expect(mlp(0.5).id).not.toBe(mlp(2).id);
  });

  test("is each member's own", async () => {
    const scales = [0.5, 1, 2, 4];
    const weights = await opened(
      mlp(1),
      (program) =>
      initialWeights(program, scales.map((scale) => memberOf(mlp(scale), 0))).map(unstack), // prettier-ignore
    );
    // Of one seed, so the same draws.
    weights.forEach((members) =>
      scales.forEach((scale, k) => expect(members[k]).toEqual(members[1]!.map((w) => scale * w))),
    );
    expect(Math.max(...weights[0]![1]!.map(Math.abs))).toBeGreaterThan(0.1);
  });

  test("may be nothing for some: a polynomial that starts at 0 beside one that does not, each as alone", async () => {
    const polynomial = (initScale: number, seed: number): Member => {
      const data = { kind: "teacher-student", inputs: 3, train: 64, test: 16 };
      return memberOf(tinyCell({ data, architecture: { kind: "polynomial", degree: 2, initScale }, seed }), 0);
    };
    const both = [polynomial(0, 1), polynomial(0.3, 2)];
    const start = (of: readonly Member[]): Promise<readonly (readonly Float32Array[])[]> =>
      opened(of[0]!.cell, (program) => initialWeights(program, of).map(unstack));
    const together = await start(both);
    expect([...new Set(together[0]![0])]).toEqual([0]);
    expect(new Set(together[0]![1]).size).toBeGreaterThan(5);
    for (const k of [0, 1]) {
      const alone = await start([both[k]!]);
      together.forEach((parameter, p) => expect(bitsOf(parameter[k]!)).toEqual(bitsOf(alone[p]![0]!)));
    }
  });
});
