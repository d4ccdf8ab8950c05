/**
 * The training loop of a fused program. Invariants:
 *  1. A member's numbers depend on its cell alone: batches and noise are keyed by (cell, step), sums run per member.
 *  2. The first loss of a member that is not finite ends it as `diverged`, with step and value; nothing of it is averaged.
 *  3. A member that ended leaves the program at the next reading: the others are packed together and go on untouched. Packing
 *     costs 0.1 to 0.7 steps and is won back within 27, about the time of one reading, so nobody is kept masked.
 *  4. Between steps the event loop runs; an abort ends the loop with OccamError "cancelled".
 *  5. Members whose memory has a training go on from where it was left, all from the same step, or are done at once.
 */
import type { TrainConfig } from "../../src/spec/cell.ts";
import type { Tensor } from "../../src/catalogue/entry.ts";
import { NO_PIECES, type Piece } from "../checkpoint/cell-memory.ts";
import { drawIntegers } from "../engine/noise.ts";
import type { Pace } from "../engine/pace.ts";
import type { Batch, Program } from "../engine/program.ts";
import type { MetricPoint, ShardEvents } from "../trainer/shard.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import type { FusedData } from "./fused-data.ts";
import { FusedUpdate, type MemberState } from "./fused-update.ts";
import { byOptimizer, type Member } from "./members.ts";
import { learningRateFactor } from "./schedule.ts";
import { tidied } from "./tidied.ts";

/** A member at the end of its training. */
export type Trained =
  | {
      readonly outcome: "ok";
      readonly member: Member;
      /** Updates done. */
      readonly steps: number;
      readonly stopped: "budget" | "train-loss";
      /** One array a parameter, row-major. */
      readonly weights: readonly Float32Array[];
      readonly train: Evaluation;
      readonly test: Evaluation;
    }
  | {
      readonly outcome: "diverged";
      readonly member: Member;
      /** The update whose loss was not finite, 1 at the first. */
      readonly steps: number;
      readonly loss: number;
    };

/** A member in the middle of its training. */
interface TrainingState extends MemberState {
  /** Updates done. */
  readonly step: number;
  /** Minibatch losses that were not read yet. */
  readonly unread: Float32Array;
}

type Ended = Trained extends infer T ? (T extends Trained ? Omit<T, "member"> : never) : never;

const pieceOf = ({ memory }: Member): Piece<TrainingState, Ended> => (memory ?? NO_PIECES).piece("train");

export interface TrainingEvents {
  readonly progress: ShardEvents["progress"];
  readonly metrics: ShardEvents["metrics"];
  /** As soon as a member ends. */
  ended(trained: Trained): void;
}

/** Steps whose losses are read from the device together. */
const READ_EVERY = 25;
/** Points of the minibatch loss that a cell reports, about. */
const BATCH_LOSS_POINTS = 200;

/** Trains all members, in any order, to their ends. */
export async function train(
  program: Program,
  data: FusedData,
  members: readonly Member[],
  events: TrainingEvents,
  pace: Pace,
): Promise<void> {
  const open: Member[] = [];
  for (const member of members) {
    const done = pieceOf(member).result;
    if (done === undefined) open.push(member);
    else events.ended({ ...done, member });
  }
  if (open.length === 0) return;
  const loop = new TrainingLoop(program, data, open, events);
  try {
    await loop.run(pace);
  } finally {
    loop.dispose();
  }
}

class TrainingLoop {
  readonly #program: Program;
  readonly #data: FusedData;
  readonly #config: TrainConfig;
  readonly #events: TrainingEvents;
  #update: FusedUpdate;
  /** Members that are no padding: the first ones of the program. */
  #live: number;
  /** Mean minibatch losses [K] of the steps since the last reading. */
  #unread: Tensor[] = [];
  /** Updates done. */
  #done = 0;

  constructor(program: Program, data: FusedData, members: readonly Member[], events: TrainingEvents) {
    this.#program = program;
    this.#data = data;
    this.#events = events;
    this.#config = members[0]!.cell.config.train;
    this.#live = members.length;
    const ordered = byOptimizer(members);
    const left = ordered.map((member) => pieceOf(member).left);
    const states = left.filter((state) => state !== undefined);
    this.#update =
      states.length === 0 ? FusedUpdate.start(program, ordered) : FusedUpdate.resumed(program, ordered, states);
    this.#goOn(states);
  }

  async run(pace: Pace): Promise<void> {
    const { steps, evalEvery } = this.#config;
    if (this.#done === 0) this.#evaluate(0);
    this.#remember();
    for (let step = this.#done + 1; step <= steps && this.#live > 0; step += 1) {
      this.#step(step);
      const evaluates = step % evalEvery === 0 || step === steps;
      if (evaluates || step % READ_EVERY === 0) this.#read(step);
      if (evaluates && this.#live > 0) this.#evaluate(step);
      this.#done = step;
      if (pace.progressDue()) this.#events.progress({ phase: "train", step, steps, live: this.#live });
      await pace.turn();
    }
    this.#events.progress({ phase: "train", step: steps, steps, live: this.#live });
  }

  dispose(): void {
    for (const member of this.#update.members) pieceOf(member).leave();
    this.#update.dispose();
    for (const losses of this.#unread) losses.dispose();
    this.#unread = [];
  }

  /** All members were left at one step. */
  #goOn(states: readonly TrainingState[]): void {
    const { tf } = this.#program.engine;
    const [first] = states;
    if (first === undefined) return;
    this.#done = first.step;
    this.#unread = [...first.unread.keys()].map((i) => tf.tensor1d(states.map(({ unread }) => unread[i]!)));
  }

  /** Says where every member stands from now on. */
  #remember(): void {
    this.#update.members.slice(0, this.#live).forEach((member, k) => {
      const state = (): TrainingState => ({ ...this.#update.stateOf(k), step: this.#done, unread: this.#unreadOf(k) });
      pieceOf(member).stands(() => this.#done, state);
    });
  }

  #unreadOf(k: number): Float32Array {
    return Float32Array.from(this.#unread, (losses) => losses.dataSync<"float32">()[k]!);
  }

  /** The member's training is over. */
  #end(trained: Trained): void {
    const { member, ...ended } = trained;
    pieceOf(member).finish(ended);
    this.#events.ended(trained);
  }

  #datasets(): readonly number[] {
    return this.#update.members.map(({ dataset }) => dataset);
  }

  #step(step: number): void {
    const { tf } = this.#program.engine;
    const batch = this.#batch(step);
    const losses = this.#update.apply(batch, step, learningRateFactor(this.#config, step));
    this.#unread.push(tf.mean(losses, -1));
    tf.dispose([batch.input, batch.targets, losses]);
  }

  /** Every member's minibatch, of rows drawn with replacement. */
  #batch(step: number): Batch {
    const { engine } = this.#program;
    const streams = this.#update.members.map(({ keys }) => ({ key: keys.batch, a: step, b: 0 }));
    return tidied(engine.tf, () => {
      const rows = drawIntegers(engine, streams, this.#config.batch, this.#data.rows("train"));
      return this.#data.take("train", this.#datasets(), rows);
    });
  }

  /** Reads the losses up to this step, reports them, and ends the members that diverged. */
  #read(step: number): void {
    const first = step - this.#unread.length + 1;
    const losses = this.#unread.map((tensor) => tensor.dataSync<"float32">());
    for (const tensor of this.#unread) tensor.dispose();
    this.#unread = [];
    const every = Math.max(1, Math.ceil(this.#config.steps / BATCH_LOSS_POINTS));
    const kept: number[] = [];
    for (let k = 0; k < this.#live; k += 1) {
      const member = this.#update.members[k]!;
      const series = losses.map((ofStep) => ofStep[k]!);
      const bad = series.findIndex((loss) => !Number.isFinite(loss));
      const points = series.slice(0, bad < 0 ? undefined : bad + 1).flatMap((value, i): MetricPoint[] => {
        const at = first + i;
        return at % every === 0 || i === bad ? [{ series: "batch.loss", step: at, value }] : [];
      });
      if (points.length > 0) this.#events.metrics(member.cell.id, points);
      if (bad < 0) kept.push(k);
      else this.#end({ outcome: "diverged", member, steps: first + bad, loss: series[bad]! });
    }
    this.#keep(kept);
  }

  #evaluate(step: number): void {
    const datasets = this.#datasets();
    const trains = evaluate(this.#program, this.#data, "train", this.#update.weights, datasets);
    const tests = evaluate(this.#program, this.#data, "test", this.#update.weights, datasets);
    const kept: number[] = [];
    for (let k = 0; k < this.#live; k += 1) {
      const member = this.#update.members[k]!;
      const [train, test] = [trains[k]!, tests[k]!];
      this.#events.metrics(member.cell.id, evaluationPoints(step, train, test));
      const ended = this.#endOf(k, step, train, test);
      if (ended === undefined) kept.push(k);
      else this.#end(ended);
    }
    this.#keep(kept);
  }

  /** How member k ends at this evaluation; undefined when it goes on. */
  #endOf(k: number, step: number, train: Evaluation, test: Evaluation): Trained | undefined {
    const { steps, stopTrainLoss } = this.#config;
    const member = this.#update.members[k]!;
    if (!Number.isFinite(train.loss)) return { outcome: "diverged", member, steps: step, loss: train.loss };
    const early = step > 0 && stopTrainLoss !== null && train.loss <= stopTrainLoss;
    if (!early && step < steps) return undefined;
    const stopped = early ? "train-loss" : "budget";
    return { outcome: "ok", member, steps: step, stopped, weights: this.#update.weightsOf(k), train, test };
  }

  /** Packs the program to these members. */
  #keep(kept: readonly number[]): void {
    if (kept.length === this.#live) return;
    this.#live = kept.length;
    if (kept.length === 0) return;
    const packed = this.#update.keeping(kept);
    this.#update.dispose();
    this.#update = packed;
    this.#remember();
  }
}

function evaluationPoints(step: number, train: Evaluation, test: Evaluation): readonly MetricPoint[] {
  const points: MetricPoint[] = [
    { series: "train.loss", step, value: train.loss },
    { series: "test.loss", step, value: test.loss },
  ];
  if (train.accuracy !== null) points.push({ series: "train.accuracy", step, value: train.accuracy });
  if (test.accuracy !== null) points.push({ series: "test.accuracy", step, value: test.accuracy });
  return points;
}
