/** Builds the results of one program's cells and hands them out. */
import type { CellId } from "../../src/core/ids.ts";
import type { CellResult, Estimate } from "../../src/result/cell-result.ts";
import type { Spent } from "../checkpoint/cell-times.ts";
import type { CellEstimates } from "../complexity/estimate.ts";
import type { Program } from "../engine/program.ts";
import type { Trained } from "../train/train.ts";
import type { ShardEvents } from "./shard.ts";

export class ResultReporter {
  readonly #program: Program;
  readonly #events: ShardEvents;
  readonly #startMs: number;
  readonly #fuseWidth: number;

  constructor(program: Program, events: ShardEvents, startMs: number, fuseWidth: number) {
    this.#program = program;
    this.#events = events;
    this.#startMs = startMs;
    this.#fuseWidth = fuseWidth;
  }

  diverged({ member, steps, loss }: Trained & { outcome: "diverged" }, spent: Spent): void {
    const reason = `training loss ${loss} at step ${steps}`;
    this.#events.log(member.cell.id, "warn", `diverged: ${reason}`, { step: steps });
    this.#events.result(member.cell.id, {
      ...this.#common(spent),
      outcome: "diverged",
      reason,
      steps,
      stopped: "diverged",
      trainLoss: null,
      testLoss: null,
      trainAccuracy: null,
      testAccuracy: null,
      estimate: null,
      behavioural: null,
    });
  }

  complete(
    { member, steps, stopped, train, test }: Trained & { outcome: "ok" },
    { estimate, behavioural }: CellEstimates,
    spent: Spent,
  ): void {
    const scores = { trainLoss: train.loss, testLoss: test.loss, testAccuracy: test.accuracy };
    this.#events.log(member.cell.id, "info", `trained: ${steps} steps, ended by ${stopped}`, scores);
    for (const each of [estimate, behavioural]) if (each !== null) this.#tellEstimate(member.cell.id, each);
    this.#events.result(member.cell.id, {
      ...this.#common(spent),
      outcome: "ok",
      reason: "",
      steps,
      stopped,
      trainLoss: train.loss,
      testLoss: Number.isFinite(test.loss) ? test.loss : null,
      trainAccuracy: train.accuracy,
      testAccuracy: test.accuracy,
      estimate,
      behavioural,
    });
  }

  #tellEstimate(id: CellId, { estimand, sampler, lambdaHat, lambdaSe, verdict, verdictReason }: Estimate): void {
    const fields = { estimand, sampler, lambdaHat, lambdaSe, reason: verdictReason };
    this.#events.log(id, verdict === "ok" ? "info" : "warn", `estimated: ${verdict}`, fields);
  }

  #common(spent: Spent): Pick<CellResult, "parameters" | "timing" | "backend" | "fuseWidth"> {
    return {
      parameters: this.#program.parameterCount,
      timing: { ...spent, wallMs: this.#program.engine.clock.monotonicMs() - this.#startMs },
      backend: this.#program.engine.backend,
      fuseWidth: this.#fuseWidth,
    };
  }
}
