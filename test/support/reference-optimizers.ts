/** The optimizers once more, for one number in double precision, written from the papers' algorithms. */

export interface ReferenceStep {
  readonly w: number;
  readonly g: number;
  /** Slots by name; 0 at the start. */
  readonly s: Readonly<Record<string, number>>;
  readonly h: Readonly<Record<string, number>>;
  readonly t: number;
}

export interface ReferenceUpdate {
  readonly w: number;
  readonly s: Readonly<Record<string, number>>;
}

type Reference = (step: ReferenceStep) => ReferenceUpdate;

const adamStep = ({ g, s, h, t }: ReferenceStep) => {
  const m = h["beta1"]! * s["mean"]! + (1 - h["beta1"]!) * g;
  const v = h["beta2"]! * s["square"]! + (1 - h["beta2"]!) * g ** 2;
  const mHat = m / (1 - h["beta1"]! ** t);
  const vHat = v / (1 - h["beta2"]! ** t);
  return { direction: mHat / (Math.sqrt(vHat) + h["epsilon"]!), s: { mean: m, square: v } };
};

export const REFERENCE_OPTIMIZERS: Readonly<Record<string, Reference>> = {
  sgd: ({ w, g, h }) => ({ w: w - h["learningRate"]! * g, s: {} }),

  momentum: ({ w, g, s, h }) => {
    const velocity = h["momentum"]! * s["velocity"]! + g;
    return { w: w - h["learningRate"]! * velocity, s: { velocity } };
  },

  nesterov: ({ w, g, s, h }) => {
    const velocity = h["momentum"]! * s["velocity"]! + g;
    return { w: w - h["learningRate"]! * (g + h["momentum"]! * velocity), s: { velocity } };
  },

  rmsprop: ({ w, g, s, h }) => {
    const square = h["decay"]! * s["square"]! + (1 - h["decay"]!) * g ** 2;
    return { w: w - (h["learningRate"]! * g) / (Math.sqrt(square) + h["epsilon"]!), s: { square } };
  },

  adam: (step) => {
    const { direction, s } = adamStep(step);
    return { w: step.w - step.h["learningRate"]! * direction, s };
  },

  adamw: (step) => {
    const { direction, s } = adamStep(step);
    const decayed = step.w - step.h["learningRate"]! * step.h["weightDecay"]! * step.w;
    return { w: decayed - step.h["learningRate"]! * direction, s };
  },

  lion: ({ w, g, s, h }) => {
    const mean = s["mean"]!;
    const direction = Math.sign(h["beta1"]! * mean + (1 - h["beta1"]!) * g);
    return {
      w: w - h["learningRate"]! * (direction + h["weightDecay"]! * w),
      s: { mean: h["beta2"]! * mean + (1 - h["beta2"]!) * g },
    };
  },
};
