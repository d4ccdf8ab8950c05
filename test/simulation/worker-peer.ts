/** The coordinator as a real session calls it, over the bad network; what it is told is noted. */
import type { PushRequest, PushResponse } from "../../proto/gen/occam/v1/bulk.ts";
import { asCellId, asLeaseToken } from "../../src/core/ids.ts";
import type { Duplex } from "../../src/rpc/client-calls.ts";
import { commitOutcome, streamKind } from "../../src/wire/enums.ts";
import type { CoordinatorPeer } from "../../worker/session/coordinator-peer.ts";
import type { History } from "./history.ts";
import type { Caller, Network } from "./network.ts";

export function workerPeer(network: Network, history: History, from: Caller): CoordinatorPeer {
  return {
    sync: (request, deadlineMs, signal) =>
      network.call(
        from,
        deadlineMs,
        async (process, serverSignal) => {
          process.listed(request.held.map(({ token }) => asLeaseToken(token)));
          const response = await process.calls!.sync(request, serverSignal);
          if (response.fenced) history.fenced += 1;
          for (const { token, cells } of response.grants) {
            const ids = cells.map((cell) => cell.cellId);
            history.grant(response.coordinatorEpoch, from.id, asLeaseToken(token), ids);
          }
          return response;
        },
        signal,
      ),
    commit: (request, deadlineMs, signal) =>
      network.call(
        from,
        deadlineMs,
        async (process, serverSignal) => {
          const response = await process.calls!.commit(request, serverSignal);
          const digest = request.outcome?.$case === "result" ? request.outcome.value.digest : "";
          const answer = commitOutcome.fromWire(response.outcome);
          const cellId = asCellId(request.cellId);
          history.commit(cellId, asLeaseToken(request.token), answer, digest, process.isOpen(cellId));
          return response;
        },
        signal,
      ),
    push: () => noted(network.openBulk(from), history),
    close: () => undefined,
  };
}

function noted(duplex: Duplex<PushRequest, PushResponse>, history: History): Duplex<PushRequest, PushResponse> {
  // Of this call, by stream: batches come in their order, and so do the ends that they are answered with.
  const ends = new Map<string, bigint>();
  async function* responses(): AsyncGenerator<PushResponse> {
    for await (const response of duplex.responses) {
      const { cellId, token, kind, nextOffset, fenced } = response;
      if (cellId !== "") {
        history.ack(asCellId(cellId), asLeaseToken(token), streamKind.fromWire(kind), Number(nextOffset));
      }
      const stream = `${kind}/${token}/${cellId}`;
      const before = ends.get(stream) ?? 0n;
      if (nextOffset < before && !fenced)
        history.wrong.push(`stream ${stream} ended at ${before}, and then at ${nextOffset}`);
      ends.set(stream, nextOffset);
      yield response;
    }
  }
  return {
    responses: responses(),
    send: (request) => duplex.send(request),
    end: () => duplex.end(),
    cancel: () => duplex.cancel(),
  };
}
