/** Workers that wait: how soon one of them has a new cell, and what two thousand of them cost. */
import { systemClock } from "../../../src/core/clock.ts";
import type { Connection } from "../../../src/rpc/client.ts";
import { against, type Measurement } from "../measurement.ts";
import { commit, emptyCall, quantileOf, submit, sync, takeShard, timed } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";

/** As a worker of ours asks: see worker/session/timings.ts. */
const LONG_POLL_MS = 20_000;
const HEARTBEAT_MS = 5_000;
const never = (): boolean => false;
/** The first submissions of a process compile what reads sweep files. */
const WARM_UP_SWEEPS = 50;
const BETWEEN_MS = 10;
/** Connections are made so many at a time. */
const CONNECT_AT_ONCE = 50;

/** @param sweeps of one cell each, one after another */
export async function startRows(store: string, sweeps: number, workers: number): Promise<readonly Measurement[]> {
  const coordinator = await CoordinatorProcess.start(store);
  const operator = coordinator.connect();
  const tookMs: number[] = [];
  let submittedMs = 0;
  const over = new AbortController();
  const work = async (connection: Connection, workerId: string): Promise<void> => {
    while (!over.signal.aborted) {
      const asked = sync(connection, workerId, { freeSlots: 1, waitMs: LONG_POLL_MS });
      const said = await asked.catch((error: unknown) => {
        if (!over.signal.aborted) throw error;
        return { grants: [] };
      });
      const [grant] = said.grants;
      if (grant === undefined) continue;
      tookMs.push(systemClock.monotonicMs() - submittedMs);
      await commit(connection, workerId, grant.token, [grant.cells[0]!.cellId]);
    }
  };
  const connections = Array.from({ length: workers }, () => coordinator.connect());
  const emptyMs: number[] = [];
  for (let number = 0; number < WARM_UP_SWEEPS + sweeps; number += 1) {
    emptyMs.push(await timed(() => emptyCall(operator)));
    await systemClock.sleep(BETWEEN_MS);
  }
  const working = connections.map((connection, index) => work(connection, `w${index}`));
  await systemClock.sleep(1_000);
  for (let number = 0; number < WARM_UP_SWEEPS + sweeps; number += 1) {
    submittedMs = systemClock.monotonicMs();
    await submit(operator, sweepOfSize(`s${number}`, 1, (1 + number) / 1_024));
    while (tookMs.length <= number) await systemClock.sleep(1);
    await systemClock.sleep(BETWEEN_MS);
  }
  over.abort();
  for (const connection of connections) connection.close();
  await Promise.all(working);
  operator.close();
  await coordinator.stop();
  for (const readings of [tookMs, emptyMs]) readings.splice(0, WARM_UP_SWEEPS);
  const method = `from the call that submits a cell until one of ${workers} waiting workers has it; ${sweeps} times, one call after another, behind ${WARM_UP_SWEEPS} that are not counted`;
  const empty = `GetServer, before: what there is of a start besides is a call, its reading, a durable write and an answer; ${sweeps} times`;
  return [
    against("pending to start, idle worker, p99", "ms", quantileOf(tookMs, 0.99), { floor: 10, stretch: 5, most: true }, method), // prettier-ignore
    against("pending to start, idle worker, median", "ms", quantileOf(tookMs, 0.5), undefined, method),
    against("an empty call to the same coordinator, p99", "ms", quantileOf(emptyMs, 0.99), undefined, empty),
    against("an empty call to the same coordinator, median", "ms", quantileOf(emptyMs, 0.5), undefined, empty),
  ];
}

/** @param forMs how long they are watched, once all are connected */
export async function idleRows(store: string, workers: number, forMs: number): Promise<readonly Measurement[]> {
  const coordinator = await CoordinatorProcess.start(store);
  const connections: Connection[] = [];
  for (let from = 0; from < workers; from += CONNECT_AT_ONCE) {
    const some = Array.from({ length: Math.min(CONNECT_AT_ONCE, workers - from) }, () => coordinator.connect());
    await Promise.all(some.map((connection, index) => sync(connection, `w${from + index}`)));
    connections.push(...some);
  }
  const readings: number[] = [];
  const endMs = systemClock.monotonicMs() + forMs;
  const left = (): number => endMs - systemClock.monotonicMs();
  // Workers come one by one: their polls do not end all at once.
  const waits = async (connection: Connection, workerId: string, index: number): Promise<void> => {
    await systemClock.sleep((index / workers) * Math.min(LONG_POLL_MS, forMs));
    while (left() > 0)
      await sync(connection, workerId, {
        freeSlots: 1,
        waitMs: Math.ceil(Math.min(LONG_POLL_MS, Math.max(1, left()))),
      });
  };
  const beats = async (connection: Connection, workerId: string, index: number): Promise<void> => {
    await systemClock.sleep((index / workers) * Math.min(HEARTBEAT_MS, forMs));
    while (left() > 0) {
      readings.push(await timed(() => sync(connection, workerId)));
      await systemClock.sleep(Math.min(HEARTBEAT_MS, Math.max(0, left())));
    }
  };
  const cpuMs = coordinator.cpuMs();
  const fromMs = systemClock.monotonicMs();
  await Promise.all(
    connections.flatMap((connection, index) => [
      waits(connection, `w${index}`, index),
      beats(connection, `w${index}`, index),
    ]),
  );
  const share = (coordinator.cpuMs() - cpuMs) / (systemClock.monotonicMs() - fromMs);
  const memoryMb = coordinator.memoryMb("now");
  for (const connection of connections) connection.close();
  await coordinator.stop();
  const method = `${workers} connections on loopback, each with a long poll held back and a heartbeat every ${HEARTBEAT_MS / 1_000} s`;
  return [
    against(`heartbeat p99, ${workers} idle workers`, "ms", quantileOf(readings, 0.99), { floor: 1_000, stretch: 50, most: true }, method), // prettier-ignore
    against(`coordinator CPU, ${workers} idle workers`, "% of a core", 100 * share, undefined, method),
    against(`memory, ${workers} idle workers`, "MB", memoryMb, undefined, "VmRSS"),
  ];
}

/** Workers that all come back within a second of a coordinator's start. */
export async function reconnectRows(store: string, workers: number): Promise<readonly Measurement[]> {
  const first = await CoordinatorProcess.start(store);
  const operator = first.connect();
  await submit(operator, sweepOfSize("shared", workers * 10 < 1_000 ? 1_000 : workers * 10));
  const before = await Promise.all(
    Array.from({ length: workers / 2 }, async (_, index) => {
      const connection = first.connect();
      const grant = await takeShard(connection, `w${index}`, never, 1);
      connection.close();
      return grant!.token;
    }),
  );
  operator.close();
  await first.kill();
  const second = await CoordinatorProcess.start(store);
  const fromMs = systemClock.monotonicMs();
  const readings: number[] = [];
  let expired = 0;
  const comeBack = async (index: number): Promise<void> => {
    await systemClock.sleep((1_000 * index) / workers);
    const connection = second.connect();
    // Half of them hold a lease of before, the others want one.
    const token = before[index];
    if (token === undefined) await takeShard(connection, `w${index}`, never, 1);
    else {
      const held = [{ token, phase: 2 as const }];
      const { renewals } = await sync(connection, `w${index}`, { held });
      if (!renewals.some((renewal) => renewal.token === token)) expired += 1;
    }
    leasedMs.push(systemClock.monotonicMs() - fromMs);
    for (let beat = 0; beat < 3; beat += 1) readings.push(await timed(() => sync(connection, `w${index}`)));
    connection.close();
  };
  const leasedMs: number[] = [];
  await Promise.all(Array.from({ length: workers }, (_, index) => comeBack(index)));
  await second.stop();
  const method = `${workers} connections spread over the first second, half with a lease to take up and half without; from the first`;
  return [
    against(`${workers} workers reconnect: all leased after`, "s", Math.max(...leasedMs) / 1_000, { floor: 5, stretch: null, most: true }, method), // prettier-ignore
    against(`their heartbeat p99`, "ms", quantileOf(readings, 0.99), { floor: 1_000, stretch: null, most: true }, "three syncs of each, at once"), // prettier-ignore
    against(`their leases that were not renewed`, "leases", expired, { floor: 0, stretch: null, most: true }, "expiries"), // prettier-ignore
  ];
}
