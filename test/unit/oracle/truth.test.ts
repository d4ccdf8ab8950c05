import { describe, expect, test } from "vitest";
import { deepLinear } from "../../../src/oracle/deep-linear.ts";
import { truthOf, type Truth } from "../../../src/oracle/truth.ts";
import { tinyCell, type CellGiven, type Given } from "../../support/tiny-cells.ts";

type Start = "canonical" | "generic" | "teacher";

const truth = (given: CellGiven): Truth | undefined => truthOf(tinyCell(given).config);

/** A cell that is estimated at its truth. */
const started = (architecture: Given, start: Start, data: Partial<Given>, more: CellGiven = {}): CellGiven => ({
  architecture,
  data: { kind: "realizable", train: 120, test: 6, ...data },
  train: { steps: 0, start },
  ...more,
});

function linear(widths: readonly number[], rank: number, start: Start, seed = 1): CellGiven {
  const [inputs, outputs] = [widths[0]!, widths.at(-1)!];
  const architecture = { kind: "deep-linear", widths: widths.join(" "), rank };
  return started(architecture, start, { inputs, outputs, train: 1000 }, { seed });
}

describe("the truth of linear networks", () => {
  // The table of the design notes.
  test.each([
    [[2, 2, 2], 0, 1.5, 1],
    [[5, 3, 5], 0, 6.5, 2],
    [[6, 4, 5], 2, 12, 2],
    [[10, 10, 10], 5, 47, 2],
    [[3, 3, 3, 3], 0, 3, 1],
    [[10, 8, 6, 8, 10], 3, 32, 2],
    [[784, 100, 100, 10], 10, 3920, 1],
  ])(
    "%j of rank %d at the canonical point: lambda %d, m %d, the local one too",
    (widths, rank, lambda, multiplicity) => {
      expect(truth(linear(widths, rank, "canonical"))).toMatchObject({ lambda, multiplicity, localLambda: lambda });
    },
  );

  test("is that of the same matrices in reduced-rank", () => {
    for (const start of ["canonical", "generic", "teacher"] as const) {
      const reduced = started({ kind: "reduced-rank", width: 4, rank: 2 }, start, { inputs: 6, outputs: 5 });
      const deep = linear([6, 4, 5], 2, start);
      expect(truth(reduced)).toMatchObject({ ...truth(deep), atT: expect.any(Function) as unknown });
    }
  });

  test("has at generic weights a local coefficient that is the global one or more, by which layer lacks rank", () => {
    const [widths, rank] = [[5, 3, 7, 6], 1] as const;
    const locals = Array.from({ length: 30 }, (_, seed) => truth(linear(widths, rank, "generic", seed))!.localLambda!);
    const global = deepLinear(widths, rank).lambda;
    expect(Math.min(...locals)).toBeGreaterThanOrEqual(global);
    expect(Math.max(...locals)).toBeGreaterThan(global);
    expect(new Set(locals).size).toBeGreaterThan(1);
  });

  test("is at a teacher of full rank half of the map's parameters: r (d_0 + d_L - r) / 2", () => {
    for (const widths of [
      [6, 4, 5],
      [3, 8, 8, 2],
      [10, 3, 10],
    ] as const) {
      const rank = Math.min(...widths);
      const lambda = (rank * (widths[0] + widths.at(-1)! - rank)) / 2;
      // `rank` says nothing of a teacher.
      expect(truth(linear(widths, 0, "teacher"))).toMatchObject({ lambda, localLambda: lambda, multiplicity: 1 });
    }
  });

  test("knows no local coefficient of weights that updates have moved", () => {
    const moved = { ...linear([6, 4, 5], 2, "generic"), train: { steps: 5, start: "generic" as const } };
    expect(truth(moved)).toMatchObject({ lambda: 12, localLambda: undefined, multiplicity: 2 });
  });

  test("is unknown where rows do not span the inputs, at random starts, and of data with targets of their own", () => {
    const few = { kind: "realizable", inputs: 6, outputs: 5, train: 5, test: 2 };
    expect(truth({ ...linear([6, 4, 5], 2, "generic"), data: few })).toBeUndefined();
    const data = { kind: "teacher-student", inputs: 6, outputs: 5 };
    expect(truth({ architecture: { kind: "deep-linear", widths: "6 4 5" }, data })).toBeUndefined();
    expect(truth({ architecture: { kind: "deep-linear", depth: 0 }, data })).toMatchObject({ lambda: 15 });
  });

  // Exact t E[K], K = |BA|^2, prior N(0, 1), at t = 1e2, 1e4, 1e6: the table of the design notes.
  test.each([
    [1, 1, 1, [0.3542, 0.4123, 0.4375]],
    [2, 2, 2, [1.3903, 1.4826, 1.4975]],
    [3, 2, 3, [2.3455, 2.4751, 2.4963]],
  ])(
    "is exact at a finite t for %d-%d-%d: unit vectors scale K by scale^2 / (2 inputs)",
    (inputs, hidden, outputs, exact) => {
      const architecture = { kind: "deep-linear", depth: 1, width: hidden, rank: 0, outputScale: 0.5 };
      const data = { inputs, outputs, distribution: "basis", scale: 3 };
      const { atT } = truth(started(architecture, "canonical", data))!;
      [1e2, 1e4, 1e6].forEach((t, i) => {
        const own = (t * 2 * inputs) / (3 * 0.5) ** 2;
        expect(atT(own, 1)).toBeCloseTo(exact[i]!, 4);
        // w -> w / sqrt(gamma) takes one pull to the other.
        expect(atT(own * 9, 3)).toBeCloseTo(exact[i]!, 4);
      });
      for (const other of [{ distribution: "normal" }, { noise: 0.1 }]) {
        expect(truth(started(architecture, "canonical", { ...data, ...other }))!.atT(1e4, 1)).toBeUndefined();
      }
      expect(truth(started(architecture, "generic", data))!.atT(1e4, 1)).toBeUndefined();
    },
  );

  test("of one matrix is a quadratic, exact at every t", () => {
    const data = { inputs: 4, outputs: 3, distribution: "basis", scale: 2 };
    const { lambda, atT } = truth(started({ kind: "deep-linear", depth: 0 }, "teacher", data))!;
    expect(lambda).toBe(6);
    // s = 2^2 / 4 = 1.
    expect(atT(9, 1)).toBeCloseTo(6 * 0.9, 12);
    expect(atT(30, 10)).toBeCloseTo(6 * 0.75, 12);
  });
});

describe("the truth of normal crossings", () => {
  const crossing = (powers: string, form: string, start: Start, more: Partial<Given> = {}): CellGiven => {
    const outputs = form === "sum" ? powers.split(" ").length : 1;
    return started({ kind: "normal-crossing", powers, form }, start, { inputs: 1, outputs, ...more });
  };

  test.each([
    ["1 1", "product", 1 / 2, 2],
    ["1 2 3", "product", 1 / 6, 1],
    ["2 1 2 2", "product", 1 / 4, 3],
    ["1 2 3", "sum", 1 / 2 + 1 / 4 + 1 / 6, 1],
  ])("%s as a %s at 0: lambda %d, m %d", (powers, form, lambda, multiplicity) => {
    const known = truth(crossing(powers, form, "canonical"))!;
    expect(known.lambda).toBeCloseTo(lambda, 14);
    expect(known).toMatchObject({ localLambda: known.lambda, multiplicity });
  });

  test("is regular away from 0: one equation for a product, one for each weight of a sum", () => {
    expect(truth(crossing("2 3", "product", "teacher"))).toMatchObject({ lambda: 0.5, localLambda: 0.5 });
    expect(truth(crossing("2 3 1", "sum", "teacher"))).toMatchObject({ lambda: 1.5, localLambda: 1.5 });
  });

  test("is exact at a finite t: a sum of squares is a quadratic, and a product nears lambda - (m - 1)/ln t", () => {
    const basis = { distribution: "basis", scale: 2 };
    // K = 2 (w_1^2 + w_2^2): each t 2 w^2 has the mean t 4 / (2 (t 4 + gamma)).
    expect(truth(crossing("1 1", "sum", "canonical", basis))!.atT(100, 5)).toBeCloseTo(400 / 405, 8);
    const { atT } = truth(crossing("1 1", "product", "canonical", basis))!;
    const shortfall = (t: number): number => (0.5 - atT(t, 1)!) * Math.log(t);
    expect(shortfall(1e12)).toBeGreaterThan(0.8);
    expect(shortfall(1e12)).toBeLessThan(1);
    expect(truth(crossing("1 1", "product", "canonical"))!.atT(100, 1)).toBeUndefined();
  });
});

describe("the truth of linear models", () => {
  const student = (inputs: number, train = 1000) => ({ kind: "teacher-student", inputs, outputs: 2, train, test: 10 });

  test("is half of their parameters, whatever the teacher and however they were trained", () => {
    const polynomial = { kind: "polynomial", degree: 2, basis: "legendre" };
    expect(truth({ architecture: polynomial, data: student(4) })).toMatchObject({ lambda: 15, localLambda: 15 });
    expect(truth({ architecture: { kind: "mlp", depth: 0 }, data: student(4) })).toMatchObject({ lambda: 5 });
    const uniform = { inputs: 3, outputs: 1, distribution: "uniform" };
    expect(truth(started({ kind: "polynomial", degree: 1 }, "teacher", uniform))).toMatchObject({ lambda: 2 });
  });

  test("is unknown with fewer rows than features, on unit vectors, with hidden layers, and of other data", () => {
    const polynomial = { kind: "polynomial", degree: 2 };
    expect(truth({ architecture: polynomial, data: student(4, 14) })).toBeUndefined();
    expect(truth({ architecture: polynomial, data: student(4, 15) })).toMatchObject({ lambda: 15 });
    const basis = { inputs: 4, outputs: 1, distribution: "basis" };
    expect(truth(started({ kind: "mlp", depth: 0 }, "teacher", basis))).toBeUndefined();
    expect(truth({ architecture: { kind: "mlp", depth: 1 }, data: student(4) })).toBeUndefined();
    expect(truth({ architecture: polynomial, data: { kind: "moons" } })).toBeUndefined();
    expect(truth({ architecture: { kind: "transformer" }, data: { kind: "text" } })).toBeUndefined();
  });
});
