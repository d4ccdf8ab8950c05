/** The WGSL kernels of the samplers, against the plain operations that they stand for, on one device. */
import { beforeAll, describe, expect, test } from "vitest";
import { fold, rootKey } from "../../../src/core/random.ts";
import { hasOwnKernel } from "../../../src/catalogue/own-kernel.ts";
import type { Tensor, Tf } from "../../../src/catalogue/entry.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import type { OwnPrograms } from "../../../worker/engine/webgpu/own-program.ts";
import { registerOwnKernels } from "../../../worker/engine/webgpu/register.ts";
import { chainKeys, moveChains, plainMove, type Move } from "../../../worker/sample/langevin.ts";
import { measurePhase, plainPhase, plainPush, pushChains } from "../../../worker/sample/leapfrog.ts";
import { plainReading, readChains, type Readable } from "../../../worker/sample/reading.ts";
import type { SamplerState } from "../../../worker/sample/sampler.ts";
import { bitsOf, normals, perMember, sizeOf, stack, unstack, type Stack } from "../../support/stacked.ts";
import { WEBGPU_MISSING } from "./webgpu-fixture.ts";

const BATCHES = 5;
/** Not multiples of a block of four, of a workgroup, of a stretch. */
const SHAPES: readonly (readonly number[])[] = [[1], [3], [5, 7], [64], [65], [257], [31, 67], [4097]];
/** Half a unit in the last place of float32 at 1. */
const ULP = 2 ** -24;

interface Chain {
  readonly index: number;
  /** Takes the place of all of its numbers. */
  readonly wild?: number;
}

type Values = readonly Stack[];

describe.skipIf(WEBGPU_MISSING !== undefined)(
  `samplers on webgpu (${WEBGPU_MISSING ?? "available"})`,
  { timeout: 120_000 },
  () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await openEngine("webgpu");
      for (const name of ["OccamLangevin", "OccamReading", "OccamLeapfrog", "OccamPhase"] as const) {
        expect(hasOwnKernel(engine.tf, name)).toBe(true);
      }
    });

    const three: readonly Chain[] = [0, 1, 2].map((index) => ({ index }));
    const list = (name: string, chains: readonly Chain[], shapes = SHAPES): Tensor[] =>
      shapes.map((shape, p) =>
        stack(
          engine.tf,
          chains.map(({ index, wild }) => {
            const values = normals(`${name} ${index} ${p}`, sizeOf(shape));
            return wild === undefined ? values : values.fill(wild);
          }),
          shape,
        ),
      );
    const vector = (chains: readonly Chain[], of: (index: number) => number) => (rank: number) =>
    perMember(engine.tf, chains.map(({ index }) => of(index)), rank); // prettier-ignore
    const rowsOf = (chains: readonly Chain[]): Tensor =>
    engine.tf.tensor1d(Int32Array.from(chains, ({ index }) => (3 * index) % BATCHES), "int32"); // prettier-ignore
    const tables = (shapes = SHAPES): Tensor[] =>
    shapes.map((shape, p) => engine.tf.tensor3d(normals(`table ${p}`, BATCHES * 2 * sizeOf(shape)), [BATCHES, 2, sizeOf(shape)])); // prettier-ignore

    const read = (make: () => readonly Tensor[]): Values => engine.tf.tidy(() => make().map(unstack) as never);

    /** Each number is off by less than so many roundings of numbers of this size. */
    function expectNear(got: Values, expected: Values, tolerance: (p: number) => number): void {
      expect(got.map((stacked) => stacked.map(({ length }) => length))).toEqual(expected.map((stacked) => stacked.map(({ length }) => length))); // prettier-ignore
      got.forEach((stacked, p) =>
        stacked.forEach((values, k) =>
          values.forEach((value, i) =>
            expect(Math.abs(value - expected[p]![k]![i]!)).toBeLessThanOrEqual(tolerance(p)),
          ),
        ),
      );
    }

    function expectSameBits(got: Values, of: readonly number[], expected: Values): void {
      got.forEach((stacked, p) => of.forEach((k, i) => expect(bitsOf(stacked[k]!)).toEqual(bitsOf(expected[p]![i]!))));
    }

    describe.each(["classic", "noise-averaged"] as const)("a step of the %s kernel", (kernel) => {
      const terms = [true, false].flatMap((corrects) => [true, false].map((preconditions) => ({ corrects, preconditions }))); // prettier-ignore

      function moved(mover: typeof plainMove, chains: readonly Chain[], of = terms[0]!, shapes = SHAPES): Values {
        return read(() => {
          const { tf } = engine;
          const state: SamplerState = {
            position: list("position", chains, shapes),
            carry: kernel === "classic" ? [] : list("before", chains, shapes),
          };
          const move: Move = {
            gradient: list("gradient", chains, shapes),
            anchor: list("anchor", chains, shapes),
            corrections: of.corrects ? tables(shapes) : [],
            rows: rowsOf(chains),
            root: of.preconditions ? list("root", chains, shapes).map((tensor) => tf.add(0.1, tf.abs(tensor))) : [],
            keys: chainKeys(tf, chains.map(({ index }) => fold(rootKey("webgpu-sampling"), "chain", index))), // prettier-ignore
            step: 7,
            settings: {
              t: vector(chains, (index) => 10 + index),
              gamma: vector(chains, (index) => 0.5 * index),
              epsilon: vector(chains, (index) => 0.01 / (1 + index)),
            },
          };
          const { position, carry } = mover(engine, kernel, state, move);
          return [...position, ...carry];
        });
      }

      test.each(terms)("is the plain step: %o", (of) => {
        const [own, plain] = [moved(moveChains, three, of), moved(plainMove, three, of)];
        // Ten roundings of numbers of size 8 at the most; the normals come from one program.
        expectNear(own, plain, (p) => (p < SHAPES.length ? 80 * ULP : 0));
      });

      test("gives a chain the same bits alone and among others, whatever these hold", () => {
        const wild = [Number.NaN, Number.POSITIVE_INFINITY, 3.4e38].map((value, k) => ({ index: 10 + k, wild: value }));
        const shapes = [[33], [5]];
        const among = moved(moveChains, [...wild, { index: 1 }, ...wild], terms[0], shapes);
        expectSameBits(among, [3], moved(moveChains, [{ index: 1 }], terms[0], shapes));
        expect(among[0]![0]!.every(Number.isNaN)).toBe(true);
      });

      test("moves no numbers and no chains", () => {
        expect(moved(moveChains, three, terms[0], [[0], [2]])[0]).toEqual(three.map(() => new Float32Array(0)));
      });
    });

    describe("a reading", () => {
      function readings(
        reader: typeof readChains,
        chains: readonly Chain[],
        rows: number,
        corrects: boolean,
        shapes = SHAPES,
      ) /* prettier-ignore */ {
      return read(() => {
        const { tf } = engine;
        const given: Readable = {
          position: list("position", chains, shapes),
          anchor: list("anchor", chains, shapes),
          losses: stack(tf, chains.map(({ index }) => normals(`losses ${index}`, rows)), [rows]), // prettier-ignore
          base: stack(tf, Array.from({ length: BATCHES }, (_, b) => normals(`base ${b}`, rows)), [rows]), // prettier-ignore
          corrections: corrects ? tables(shapes) : [],
          rows: rowsOf(chains),
        };
        const { differences, squares } = reader(tf, given);
        return [differences, squares];
      });
    }

      test.each([2, 6, 34, 128, 514])("of batches of %i rows is the plain one", (rows) => {
        for (const corrects of [true, false]) {
          const [own, plain] = [readings(readChains, three, rows, corrects), readings(plainReading, three, rows, corrects)]; // prettier-ignore
          const count = SHAPES.reduce((sum, shape) => sum + sizeOf(shape), 0);
          // Sums of so many products of size 1 to 2, whose roundings are as many as their square root of the sum's size.
          expectNear(own, plain, (p) => (p === 0 ? 64 * Math.sqrt(count) * ULP * 8 : 2 * count * ULP * 32));
        }
      });

      test("gives a chain the same bits alone and beside one that is not finite", () => {
        const among = readings(readChains, [{ index: 1 }, { index: 2, wild: Number.NaN }], 10, true);
        expectSameBits(among, [0], readings(readChains, [{ index: 1 }], 10, true));
        expect([...among[0]![1]!, ...among[1]![1]!]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
      });
    });

    describe("a kick and a drift", () => {
      const pushOf = (chains: readonly Chain[], shapes = SHAPES) => ({
        gradient: list("gradient", chains, shapes),
        anchor: list("anchor", chains, shapes),
        t: vector(chains, (index) => 10 + index),
        gamma: vector(chains, (index) => 0.5 * index),
        kick: vector(chains, (index) => 0.03 / (1 + index)),
        drift: vector(chains, (index) => 0.07 / (1 + index)),
      });
      const phaseOf = (name: string, chains: readonly Chain[], shapes = SHAPES) => ({
        position: list(`${name} position`, chains, shapes),
        momentum: list(`${name} momentum`, chains, shapes),
      });
      const pushed = (pusher: typeof pushChains, chains: readonly Chain[]): Values =>
        read(() => {
          const { position, momentum } = pusher(engine.tf, phaseOf("now", chains), pushOf(chains));
          return [...position, ...momentum];
        });
      const measured = (measure: typeof measurePhase, chains: readonly Chain[], shapes = SHAPES): Values =>
        read(() => [
          measure(engine.tf, {
            phase: phaseOf("now", chains, shapes),
            start: phaseOf("start", chains, shapes),
            push: pushOf(chains, shapes),
          }),
        ]);

      test("are the plain ones", () => {
        expectNear(pushed(pushChains, three), pushed(plainPush, three), () => 64 * ULP);
      });

      test("are measured as by plain operations, for each parameter and all together", () => {
        for (const shapes of [...SHAPES.map((shape) => [shape]), SHAPES]) {
          const count = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
          expectNear(measured(measurePhase, three, shapes), measured(plainPhase, three, shapes), () => (16 + count) * 16 * ULP); // prettier-ignore
        }
      });

      test("give a chain the same bits alone and beside one that is not finite", () => {
        const [lost, kept] = [{ index: 2, wild: Number.NaN }, { index: 1 }];
        for (const of of [
          (chains: readonly Chain[]) => pushed(pushChains, chains),
          (chains: readonly Chain[]) => measured(measurePhase, chains),
        ]) {
          const among = of([lost, kept, lost]);
          expectSameBits(among, [1], of([kept]));
          expect(among.every((stacked) => stacked[0]!.every(Number.isNaN))).toBe(true);
        }
      });
    });

    test("are left to plain operations where a device binds too few buffers for them", () => {
      const namesAt = (mostBindings: number): readonly string[] => {
        const names: string[] = [];
        const registerKernel = ({ kernelName }: { kernelName: string }): void => void names.push(kernelName);
        const tf = { registerKernel, getKernel: () => undefined };
        registerOwnKernels(tf as unknown as Tf, { mostBindings } as OwnPrograms);
        return names;
      };
      expect(namesAt(10)).toContain("OccamLangevin");
      expect(namesAt(10).filter((name) => !namesAt(8).includes(name))).toEqual(["OccamLangevin"]);
    });

    test("all of them leave nothing behind", () => {
      const { tf } = engine;
      const step = (): void => {
        const shapes = [[40], [3]];
        tf.tidy(() => {
          const t = vector(three, () => 1);
          const phase = { position: list("position", three, shapes), momentum: list("momentum", three, shapes) };
          const push = { gradient: phase.momentum, anchor: phase.momentum, t, gamma: t, kick: t, drift: t };
          pushChains(tf, phase, push);
          measurePhase(tf, { phase, start: phase, push }).dataSync();
        });
      };
      step();
      const before = tf.memory();
      for (let i = 0; i < 50; i += 1) step();
      expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
    });
  },
);
