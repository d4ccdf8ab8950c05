/** The coordinator as a session calls it. */
import { BulkServiceService, type PushRequest, type PushResponse } from "../../proto/gen/occam/v1/bulk.ts";
import {
  ControlServiceService,
  type CommitRequest,
  type CommitResponse,
  type SyncRequest,
  type SyncResponse,
} from "../../proto/gen/occam/v1/control.ts";
import { callUnary, openDuplex, type Duplex } from "../../src/rpc/client-calls.ts";
import { connect, type ConnectOptions } from "../../src/rpc/client.ts";
import { LeaderConnection } from "../../src/rpc/leader-connection.ts";
import { CommitGatherer } from "./commit-gatherer.ts";

export interface CoordinatorPeer {
  sync(request: SyncRequest, deadlineMs: number, signal: AbortSignal): Promise<SyncResponse>;
  commit(request: CommitRequest, deadlineMs: number, signal: AbortSignal, traceparent: string): Promise<CommitResponse>;
  push(): Duplex<PushRequest, PushResponse>;
  close(): void;
}

export function coordinatorPeer(options: ConnectOptions): CoordinatorPeer {
  const leader = new LeaderConnection(options.address, (address) => connect({ ...options, address }));
  const commits = new CommitGatherer({
    one: (request, settings) =>
      leader.call(({ control }) => callUnary(control, ControlServiceService.commit, request, settings)),
    all: (requests, settings) =>
      leader.call(async ({ control }) => {
        const { responses } = await callUnary(
          control,
          ControlServiceService.commitAll,
          { commits: requests },
          settings,
        );
        return responses;
      }),
  });
  return {
    sync: (request, deadlineMs, signal) =>
      leader.call(({ control }) => callUnary(control, ControlServiceService.sync, request, { deadlineMs, signal })),
    commit: (request, deadlineMs, signal, traceparent) => commits.commit(request, { deadlineMs, signal, traceparent }),
    // Where the heartbeat has found the leader.
    push: () => openDuplex(leader.current.bulk, BulkServiceService.push),
    close: () => leader.close(),
  };
}
