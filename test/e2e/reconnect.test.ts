/**
 * F13 in small: a coordinator is killed, and all of its workers are back within a second of its next start, each on connections of
 * its own. How long that takes a thousand of them is measured by `npm run bench -- --only coordinator`.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { LeasePhase } from "../../proto/gen/occam/v1/control.ts";
import { connect, type Connection } from "../../src/rpc/client.ts";
import { submit, sweepOf, sync, takeShard } from "../bench/coordinator/bench-calls.ts";
import { sweepOfSize } from "../bench/coordinator/bench-sweep.ts";
import { pause, start, temporaryFolder, type Running } from "./support/occam.ts";

const TOKEN = "a-token-of-the-reconnect-test";
const WORKERS = 200;
/** Those that held a lease before. */
const HOLDERS = 100;
const PHASE = LeasePhase.LEASE_PHASE_TRAIN;

async function coordinator(store: string): Promise<{ readonly process: Running; readonly address: string }> {
  const args = ["coordinator", "--store", store, "--port", "0", "--log-level", "warn"];
  const running = start(args, { env: { OCCAM_TOKEN: TOKEN } });
  await running.until((out) => out.includes("coordinator serves"));
  return { process: running, address: /coordinator serves ([^,]+),/.exec(running.stdout)![1]! };
}

const nameOf = (index: number): string => `w${index}`;
const never = (): boolean => false;

it("F13 a killed coordinator's workers all come back at once: those with a lease keep it, and the others get one", async () => {
  const store = join(temporaryFolder(), "store");
  mkdirSync(store);
  const first = await coordinator(store);
  const operator = connect({ address: first.address, token: TOKEN });
  const { sweepId } = await submit(operator, sweepOfSize("reconnect", 1_000));
  const before = new Map<string, bigint>();
  for (let index = 0; index < HOLDERS; index += 1) {
    const grant = await takeShard(operator, nameOf(index), never, 1);
    before.set(nameOf(index), grant!.token);
  }
  operator.close();
  first.process.signal("SIGKILL");
  await first.process.ended;

  const second = await coordinator(store);
  const connections: Connection[] = [];
  const after = new Map<string, bigint>();
  const comeBack = async (index: number): Promise<void> => {
    await pause((index * 1_000) / WORKERS);
    const connection = connect({ address: second.address, token: TOKEN });
    connections.push(connection);
    const held = before.get(nameOf(index));
    if (held === undefined) {
      after.set(nameOf(index), (await takeShard(connection, nameOf(index), never, 1))!.token);
      return;
    }
    const { renewals, revocations } = await sync(connection, nameOf(index), { held: [{ token: held, phase: PHASE }] });
    expect([renewals.map(({ token }) => token), revocations]).toEqual([[held], []]);
    after.set(nameOf(index), held);
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, index) => comeBack(index)));
  // A further heartbeat of each: nothing has run out, and nobody has what another has.
  for (const [index, connection] of connections.entries()) {
    const token = after.get(nameOf(index))!;
    const { renewals } = await sync(connection, nameOf(index), { held: [{ token, phase: PHASE }] });
    expect(renewals.map((renewal) => renewal.token)).toEqual([token]);
  }
  expect(new Set(after.values()).size).toBe(WORKERS);
  const { counts } = await sweepOf(connections[0]!, sweepId);
  expect(counts).toMatchObject({ total: 1_000, running: WORKERS, pending: 1_000 - WORKERS });
  for (const connection of connections) connection.close();
  second.process.signal("SIGTERM");
  expect((await second.process.ended).code).toBe(0);
});
