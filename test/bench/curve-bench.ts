/** The cost of a member as members, width, depth and batch grow, about an MLP 16-32-32-1 with batch 128 and K = 16. */
import type { Engine } from "../../worker/engine/engine.ts";
import { mostFused } from "../../worker/engine/fuse-width.ts";
import type { CellGiven } from "../support/tiny-cells.ts";
import { interleaved, measured, turnOf, type Measurement, type Turn } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

const MEMBERS = 16;
const ROUNDS = 3;

interface Point {
  readonly label: string;
  readonly given: CellGiven;
  readonly members: number;
}

const { mlp } = SHAPES;
/** Past 128 a processor has long been full. */
const widthsOf = ({ backend }: Engine): readonly number[] => {
  const most = 2 * Math.max(64, mostFused(backend));
  return Array.from({ length: Math.log2(most) + 1 }, (_, power) => 2 ** power);
};
const CURVES: readonly (readonly Point[])[] = [
  [8, 16, 32, 64, 128].map((width) => ({
    label: `width ${width}`,
    given: { ...mlp, architecture: { ...mlp.architecture, width } },
    members: MEMBERS,
  })),
  [1, 2, 4, 8].map((depth) => ({
    label: `depth ${depth}`,
    given: { ...mlp, architecture: { ...mlp.architecture, depth } },
    members: MEMBERS,
  })),
  [16, 64, 128, 256, 512].map((batch) => ({
    label: `batch ${batch}`,
    given: { ...mlp, train: { batch } },
    members: MEMBERS,
  })),
];

export const curvePart: Part = {
  name: "curve",
  summary: "the cost of a member as K, width, depth and batch grow",
  run: async (engine) => {
    const members = widthsOf(engine).map((width) => ({ label: `K = ${width}`, given: mlp, members: width }));
    const rows: Measurement[] = [];
    for (const points of [members, ...CURVES]) rows.push(...(await curve(engine, points)));
    return rows;
  },
};

async function curve(engine: Engine, points: readonly Point[]): Promise<readonly Measurement[]> {
  const opened: { readonly label: string; readonly program: TrainingProgram }[] = [];
  for (const { label, given, members } of points) {
    opened.push({ label, program: await TrainingProgram.open(engine, given, members) });
  }
  const turns = opened.map(({ label, program }): [string, Turn] => [
    label,
    turnOf(engine.clock, program.members, () => program.step()),
  ]);
  const rounds = await interleaved(Object.fromEntries(turns), ROUNDS);
  for (const { program } of opened) program.dispose();
  const first = points[0]!.label;
  return points.map(({ label }) =>
    measured(`MLP training, ${label}`, "ms/member/step", rounds[label]!, { name: first, rounds: rounds[first]! }),
  );
}
