// Occam as a library: the learning coefficient of a network of your own, written in plain TensorFlow.js operations.
//
//   npm ci && node examples/library.mjs
import { estimateLearningCoefficient, openEngine } from "occam";

const engine = await openEngine("wasm");
// Make every tensor with this `tf`: TensorFlow.js keeps its backend in global state.
const { tf } = engine;

// --- Data: 100 points of a sine, with Gaussian noise.
const SAMPLES = 100;
const NOISE = 0.5;
const noise = tf.randomNormal([SAMPLES, 1], 0, NOISE, "float32", 1);
const x = tf.reshape(tf.linspace(-3, 3, SAMPLES), [SAMPLES, 1]);
const y = tf.add(tf.sin(x), noise);

// --- A network, one hidden layer of 3 tanh units: 10 parameters in four tensors.
const HIDDEN = 3;
const network = ([w1, b1, w2, b2], input) => tf.add(tf.matMul(tf.tanh(tf.add(tf.matMul(input, w1), b1)), w2), b2);

// The negative log-likelihood of each sample that is asked for, without a mean: |y - f(x)|^2 / (2 variance).
const losses = (weights, rows) => {
  const residuals = tf.sub(network(weights, tf.gather(x, rows)), tf.gather(y, rows));
  return tf.div(tf.sum(tf.square(residuals), -1), 2 * NOISE ** 2);
};

// --- Training, as you like it: here Adam on all samples.
const weights = [
  tf.variable(tf.randomNormal([1, HIDDEN], 0, 1, "float32", 2)),
  tf.variable(tf.zeros([HIDDEN])),
  tf.variable(tf.randomNormal([HIDDEN, 1], 0, 0.5, "float32", 3)),
  tf.variable(tf.zeros([1])),
];
const everyRow = tf.range(0, SAMPLES, 1, "int32");
const optimizer = tf.train.adam(0.02);
for (let step = 0; step < 600; step += 1) optimizer.minimize(() => tf.mean(losses(weights, everyRow)));

// --- The estimate. Everything has a default; the seed makes it repeatable.
report("network", await estimateLearningCoefficient({ engine, losses, weights, samples: SAMPLES, seed: 1 }));

// --- A control of known answer: K = 1/2 (w1 w2)^2 at 0. lambda is 1/2, of multiplicity 2, so that at t = 1000 and gamma = 1 the
// exact value is 0.381 (a regular model of two parameters would have 1). Chains explore its long valleys slowly: a standard error
// of 5 % takes 1,000 effective draws, and they take more gradients than the default. It stops as soon as it has them.
const crossing = ([w], rows) => tf.mul(tf.ones(rows.shape), tf.mul(0.5, tf.square(tf.prod(w))));
report(
  "w1^2 w2^2",
  await estimateLearningCoefficient({
    engine,
    losses: crossing,
    weights: [{ values: [0, 0], shape: [2] }],
    samples: 1000,
    nBeta: 1000,
    trajectory: 8,
    tolerance: 0.05,
    budget: 20_000,
    seed: 1,
  }),
);

function report(name, { lambdaHat, lambdaSe, parameters, verdict, verdictReason }) {
  const value = `${lambdaHat.toFixed(3)} +- ${lambdaSe.toFixed(3)}`;
  console.log(`${name}: lambda-hat ${value} of ${parameters} parameters, ${verdict}: ${verdictReason}`);
}
