/** An operator over real gRPC: keeps some sweeps open, submits again what it has submitted, cancels a part, and notes what it is told. */
import { OperatorServiceService, SubmitSweepRequest, SweepState } from "../../../proto/gen/occam/v1/operator.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import type { Dice } from "../../simulation/dice.ts";
import type { Ledger, SweepPromise } from "./ledger.ts";
import type { Line } from "./line.ts";
import { specOf } from "./made-up-cells.ts";

/** Cells that are open when no new sweep is submitted. */
const OPEN_CELLS = 40;
const CALL_MS = 10_000;

export class DrivenOperator {
  readonly #line: Line;
  readonly #ledger: Ledger;
  readonly #dice: Dice;
  #next = 1;

  constructor(line: Line, ledger: Ledger, dice: Dice) {
    this.#line = line;
    this.#ledger = ledger;
    this.#dice = dice;
  }

  /** Until `enough` aborts; what it has begun it finishes, as long as `signal` does not abort. */
  async run(enough: AbortSignal, signal: AbortSignal): Promise<void> {
    while (!enough.aborted && !signal.aborted) {
      if ((await this.#openCells(signal)) < OPEN_CELLS) await this.#newSweep(signal);
      else await this.#line.pause(this.#dice.integer(20, 100));
    }
  }

  /** Resolves when every sweep has ended. */
  async untilDone(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.#openCells(signal)) > 0) await this.#line.pause(100);
  }

  async #newSweep(signal: AbortSignal): Promise<void> {
    const number = this.#next++;
    const sweep: SweepPromise = {
      number,
      cells: this.#dice.integer(2, 24),
      id: "",
      cancelSent: false,
      cancelled: false,
    };
    this.#ledger.sweeps.set(number, sweep);
    await this.#submit(sweep, signal);
    if (this.#dice.chance(0.3)) await this.#submit(sweep, signal);
    if (!this.#dice.chance(0.25)) return;
    await this.#line.pause(this.#dice.integer(0, 300));
    await this.#cancel(sweep, signal);
  }

  async #submit(sweep: SweepPromise, signal: AbortSignal): Promise<void> {
    const name = `sweep-${sweep.number}`;
    const request = SubmitSweepRequest.fromPartial({
      specText: specOf(name, sweep.number, sweep.cells),
      fileName: name,
    });
    const answer = await this.#line.untilAnswered(({ operator }) => {
      this.#ledger.saw("submit");
      return callUnary(operator, OperatorServiceService.submitSweep, request, { deadlineMs: CALL_MS, signal });
    }, signal);
    if (answer === undefined) return;
    this.#ledger.acks += 1;
    this.#ledger.saw("acked-submit");
    const id = answer.sweep!.sweepId;
    if (sweep.id !== "" && (answer.created || id !== sweep.id))
      this.#ledger.broken(`${name} was submitted again as ${id}, created: ${answer.created}`);
    sweep.id = id;
  }

  async #cancel(sweep: SweepPromise, signal: AbortSignal): Promise<void> {
    sweep.cancelSent = true;
    const answer = await this.#line.untilAnswered(({ operator }) => {
      this.#ledger.saw("cancel");
      return callUnary(
        operator,
        OperatorServiceService.cancelSweep,
        { sweep: sweep.id },
        { deadlineMs: CALL_MS, signal },
      );
    }, signal);
    if (answer === undefined) return;
    this.#ledger.acks += 1;
    sweep.cancelled = answer.sweep!.state === SweepState.SWEEP_STATE_CANCELLED;
  }

  async #openCells(signal: AbortSignal): Promise<number> {
    const answer = await this.#line.untilAnswered(
      ({ operator }) => callUnary(operator, OperatorServiceService.listSweeps, {}, { deadlineMs: CALL_MS, signal }),
      signal,
    );
    const running = answer?.sweeps.filter(({ state }) => state === SweepState.SWEEP_STATE_RUNNING) ?? [];
    return running.reduce(
      (sum, { counts }) => sum + counts!.pending + counts!.leased + counts!.running,
      running.length,
    );
  }
}
