/** A lease in the worker: its cells, and its state behind the one transition function. */
import { LeasePhase, type HeldLease as WireLease } from "../../proto/gen/occam/v1/control.ts";
import { invariant } from "../../src/core/errors.ts";
import type { CellId, LeaseToken } from "../../src/core/ids.ts";
import type { Span, Tracer } from "../../src/core/trace.ts";
import type { Cell } from "../../src/spec/cell.ts";
import type { LeaseGrant } from "../../src/wire/cell-grant.ts";
import { leasePhase } from "../../src/wire/enums.ts";
import { openCells, queuedLease, transition, type LeaseEvent, type LeaseState } from "./lease-state.ts";

/** Share of the last phase after which the next shard is asked for, so that the trainer need not wait for it. */
const NEARLY_DONE = 0.9;

export class HeldLease {
  readonly token: LeaseToken;
  /** From the grant until every cell has its outcome; commits are its children. */
  readonly span: Span;
  readonly #cells: ReadonlyMap<CellId, Cell>;
  #state: LeaseState;

  constructor(grant: LeaseGrant, tracer: Tracer) {
    this.token = grant.token;
    this.span = tracer.span("shard", grant.traceparent, {
      "occam.lease": grant.token.toString(),
      "occam.cells": grant.cells.length,
    });
    this.#cells = new Map(grant.cells.map(({ cell }) => [cell.id, cell]));
    this.#state = queuedLease(this.#cells.keys());
  }

  get phase(): LeaseState["phase"] {
    return this.#state.phase;
  }

  get shardId(): string {
    return this.token.toString();
  }

  /** Cells that still want an outcome. */
  get open(): ReadonlySet<CellId> {
    return openCells(this.#state);
  }

  get openCells(): readonly Cell[] {
    return [...this.open].map((id) => this.#cells.get(id)!);
  }

  /** All that is left of it is a trainer that computes in vain. */
  get nothingToSend(): boolean {
    return this.#state.phase === "done" || (this.#state.phase === "stopping" && this.#state.unsettled.size === 0);
  }

  apply(event: LeaseEvent): void {
    const next = transition(this.#state, event);
    invariant(next, `lease ${this.token}: "${event.type}" while ${this.#state.phase}`);
    this.#state = next;
  }

  /** True in the last steps of its last phase. */
  get nearlyDone(): boolean {
    if (this.#state.phase !== "running" || this.#state.progress === undefined) return false;
    const { phase, step, steps } = this.#state.progress;
    const [first] = this.#cells.values();
    const last = first?.config.estimate.sampler === "none" ? "train" : "estimate";
    return phase === last && step >= NEARLY_DONE * steps;
  }

  /** What the coordinator is told; undefined when it need not hear of the lease any more. */
  toWire(): WireLease | undefined {
    const { token } = this;
    const state = this.#state;
    switch (state.phase) {
      case "queued":
        return { token, phase: LeasePhase.LEASE_PHASE_QUEUED, step: 0n, steps: 0n };
      case "running": {
        const { phase, step, steps } = state.progress ?? { phase: "train", step: 0, steps: 0 };
        return { token, phase: leasePhase.toWire(phase), step: BigInt(step), steps: BigInt(steps) };
      }
      case "stopping":
      case "uploading":
        return state.unsettled.size === 0
          ? undefined
          : { token, phase: LeasePhase.LEASE_PHASE_UPLOAD, step: 0n, steps: 0n };
      case "done":
        return undefined;
    }
  }
}
