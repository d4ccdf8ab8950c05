/** What every regulariser of the registry must do: above all, nothing at strength 0. */
import { beforeAll, describe, expect, test } from "vitest";
import { REGULARISERS } from "../../src/catalogue/registry.ts";
import type { Regulariser, Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import { fillUniform, rootKey } from "../../src/core/random.ts";
import { bitsOf, normals, perMember, stack, unstack, type Stack } from "../support/stacked.ts";
import { expectSame, openTestBackend, THE_SAME } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

const SHAPE = [4, 3];
const SIZE = 12;
const CLASSES = 3;

/** Values with zeros among them, which penalties and dropout treat apart. */
function valuesOf(member: number): Float32Array {
  return normals(`value/${member}`, SIZE).map((value, i) => (i % 5 === 0 ? 0 : value));
}

function uniformsOf(member: number): Float32Array {
  const uniforms = new Float32Array(SIZE);
  fillUniform(rootKey(`uniform/${member}`), { a: 0, b: 0 }, uniforms);
  uniforms[0] = 0;
  return uniforms;
}

const oneHotOf = (member: number): Float32Array =>
  Float32Array.from({ length: SIZE }, (_, i) => (i % CLASSES === (member + Math.floor(i / CLASSES)) % CLASSES ? 1 : 0));

interface Hook {
  readonly name: "perturb" | "hidden" | "targets" | "gradient" | "decay";
  /** What the engine makes of the hook's result, for members by number. */
  apply(regulariser: Regulariser, members: readonly number[], strengths: readonly number[]): Tensor;
  /** The same without the regulariser. */
  without(member: number): Float32Array;
}

const stacked = (members: readonly number[], of: (member: number) => Float32Array): Tensor =>
  stack(tf, members.map(of), SHAPE);

const HOOKS: readonly Hook[] = [
  {
    name: "perturb",
    apply: (regulariser, members, strengths) =>
      regulariser.perturb!(
        tf,
        stacked(members, valuesOf),
        perMember(tf, strengths, 3),
        stacked(members, (member) => normals(`noise/${member}`, SIZE)),
      ),
    without: valuesOf,
  },
  {
    name: "hidden",
    apply: (regulariser, members, strengths) =>
      regulariser.hidden!(
        tf,
        stacked(members, valuesOf) as Tensor3D,
        perMember(tf, strengths, 3),
        stacked(members, uniformsOf) as Tensor3D,
      ),
    without: valuesOf,
  },
  {
    name: "targets",
    apply: (regulariser, members, strengths) =>
      regulariser.targets!(tf, stacked(members, oneHotOf) as Tensor3D, perMember(tf, strengths, 3), CLASSES),
    without: oneHotOf,
  },
  {
    // The engine adds the term to the gradient of the loss.
    name: "gradient",
    apply: (regulariser, members, strengths) =>
      tf.add(
        stacked(members, (member) => normals(`gradient/${member}`, SIZE)),
        regulariser.gradient!(tf, stacked(members, valuesOf), perMember(tf, strengths, 3)),
      ),
    without: (member) => normals(`gradient/${member}`, SIZE),
  },
  {
    // The engine subtracts the term from the updated weight.
    name: "decay",
    apply: (regulariser, members, strengths) => {
      const rates = perMember(
        tf,
        members.map((member) => 0.1 * (member + 1)),
        3,
      );
      const updated = stacked(members, (member) => normals(`updated/${member}`, SIZE));
      const taken = regulariser.decay!(tf, stacked(members, valuesOf), perMember(tf, strengths, 3), rates);
      return tf.sub(updated, taken);
    },
    without: (member) => normals(`updated/${member}`, SIZE),
  },
];

const STRENGTHS = [0.3, 0, 0.7];

/** Results of each member. */
function run(hook: Hook, regulariser: Regulariser, members: readonly number[], strengths: readonly number[]): Stack {
  return tf.tidy(() => unstack(hook.apply(regulariser, members, strengths)) as never);
}

test("every regulariser but none has a hook, and its configuration states its strength", () => {
  for (const regulariser of REGULARISERS) {
    const hooks = HOOKS.filter(({ name }) => regulariser[name] !== undefined);
    if (regulariser.kind === "none") {
      expect(hooks).toEqual([]);
      expect(regulariser.strength({ kind: "none" })).toBe(0);
    } else {
      expect(hooks.length, regulariser.kind).toBeGreaterThan(0);
      const config = { kind: regulariser.kind, ...regulariser.schema.parse({ strength: 0.25 }) };
      expect(regulariser.strength(config)).toBe(0.25);
      expect(regulariser.schema.safeParse({ strength: -1e-9 }).success).toBe(false);
      expect(regulariser.schema.safeParse({}).success).toBe(false);
    }
  }
});

const cases = REGULARISERS.flatMap((regulariser) =>
  HOOKS.filter(({ name }) => regulariser[name] !== undefined).map((hook) => ({
    name: `${regulariser.kind}, ${hook.name}`,
    regulariser,
    hook,
  })),
);

describe.each(cases)("$name", ({ regulariser, hook }) => {
  test("is bitwise the identity for a member of strength 0, and only for that one", () => {
    const results = run(hook, regulariser, [0, 1, 2], STRENGTHS);
    expect(bitsOf(results[1]!)).toEqual(bitsOf(hook.without(1)));
    for (const member of [0, 2]) expect(bitsOf(results[member]!)).not.toEqual(bitsOf(hook.without(member)));
  });

  test(`gives a member ${THE_SAME} beside any other member, and twice`, () => {
    const three = run(hook, regulariser, [0, 1, 2], STRENGTHS);
    for (const members of [
      [0, 1],
      [2, 0],
      [1, 2],
    ]) {
      const strengths = members.map((member) => STRENGTHS[member]!);
      run(hook, regulariser, members, strengths).forEach((values, place) =>
        expectSame(values, three[members[place]!]!),
      );
    }
    run(hook, regulariser, [0, 1, 2], STRENGTHS).forEach((values, member) => expectSame(values, three[member]!));
  });

  test("leaves no tensor behind", () => {
    const before = tf.memory().numTensors;
    run(hook, regulariser, [0, 1, 2], STRENGTHS);
    expect(tf.memory().numTensors).toBe(before);
  });
});
