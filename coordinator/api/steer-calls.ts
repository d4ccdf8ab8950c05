/** Calls that change how sweeps and workers are treated: each is audited, and repeating one changes nothing. */
import type {
  ChangeSweepRequest,
  ChangeSweepResponse,
  PauseSweepRequest,
  PauseSweepResponse,
  RerunSweepRequest,
  RerunSweepResponse,
  ResetWorkerRequest,
  ResetWorkerResponse,
  ResumeSweepRequest,
  ResumeSweepResponse,
} from "../../proto/gen/occam/v1/operator.ts";
import { OccamError } from "../../src/core/errors.ts";
import { asWorkerId } from "../../src/core/ids.ts";
import { unary, type CallContext } from "../../src/rpc/adapters.ts";
import { rerunWhat } from "../../src/wire/enums.ts";
import type { Coordinator } from "../coordinator.ts";
import type { Sweep } from "../hot/sweep.ts";
import { resetWorker } from "../lease/worker-trust.ts";
import { pauseSweep, steerSweep } from "../sweep/pause.ts";
import { audited } from "./audit.ts";
import { required } from "./required.ts";
import { sweepMessage } from "./sweep-message.ts";
import { shortText } from "./within.ts";
import { listWorkers } from "./worker-message.ts";

export function steerCalls(coordinator: Coordinator) {
  const { hot } = coordinator;
  /** Finds the sweep, changes it, and waits until that is durable. */
  const onSweep = (
    context: CallContext,
    action: string,
    target: string,
    change: (sweep: Sweep) => void | Promise<void>,
  ): Promise<Sweep> =>
    audited(
      hot,
      context,
      { action, target },
      async () => {
        const sweep = hot.sweeps.find(target);
        await change(sweep);
        await hot.writer.settled();
        return sweep;
      },
      ({ record }) => `done ${record.id}`,
    );
  return {
    pauseSweep: unary<PauseSweepRequest, PauseSweepResponse>(async (request, context) => {
      const reason = shortText(request.reason, "reason");
      const { name } = context.principal;
      const paused = (sweep: Sweep): void =>
        pauseSweep(hot, sweep, reason === "" ? `by ${name}` : `${reason} (${name})`);
      return { sweep: sweepMessage(await onSweep(context, "PauseSweep", request.sweep, paused)) };
    }),
    resumeSweep: unary<ResumeSweepRequest, ResumeSweepResponse>(async (request, context) => {
      const resumed = (sweep: Sweep): Promise<void> => coordinator.sweeps.resume(sweep);
      return { sweep: sweepMessage(await onSweep(context, "ResumeSweep", request.sweep, resumed)) };
    }),
    changeSweep: unary<ChangeSweepRequest, ChangeSweepResponse>(async (request, context) => {
      const { priority, maxWorkers } = request;
      const changed = (sweep: Sweep): void => {
        const given = {
          ...(priority === undefined ? {} : { priority }),
          ...(maxWorkers === undefined ? {} : { maxWorkers }),
        };
        if (Object.keys(given).length > 0) steerSweep(hot, sweep, given);
      };
      return { sweep: sweepMessage(await onSweep(context, "ChangeSweep", request.sweep, changed)) };
    }),
    rerunSweep: unary<RerunSweepRequest, RerunSweepResponse>((request, context) =>
      rerun(coordinator, request, context),
    ),
    resetWorker: unary<ResetWorkerRequest, ResetWorkerResponse>(async (request, context) => {
      const workerId = asWorkerId(required(request.workerId, "worker_id"));
      const reset = async (): Promise<void> => {
        if (hot.sessions.get(workerId) === undefined) {
          throw new OccamError("not-found", `there is no worker "${workerId}"`, { hint: "`occam status` lists them" });
        }
        resetWorker(hot, workerId);
        await hot.writer.settled();
      };
      await audited(hot, context, { action: "ResetWorker", target: workerId }, reset, () => "done");
      return { worker: listWorkers(hot).find((worker) => worker.workerId === workerId) };
    }),
  };
}

async function rerun(
  { hot, sweeps }: Coordinator,
  request: RerunSweepRequest,
  context: CallContext,
): Promise<RerunSweepResponse> {
  const what = rerunWhat.fromWire(request.what);
  const { sweep, cells } = await audited(
    hot,
    context,
    { action: "RerunSweep", target: `${request.sweep} ${what}` },
    async () => {
      const found = hot.sweeps.find(request.sweep);
      if (what !== "stale") return { sweep: found, cells: await sweeps.rerun(found, what) };
      const submitted = await sweeps.rerunStale(found, context.principal.name);
      return { sweep: submitted.sweep, cells: submitted.created ? submitted.sweep.open : 0 };
    },
    (done) => `${done.cells} cells of ${done.sweep.record.id}`,
  );
  return { sweep: sweepMessage(sweep), cells };
}
