/** Waits for a coordinator that starts beside this worker, on the same machine. */
import { connect } from "node:net";
import type { Clock } from "../../core/clock.ts";

const TRY_EVERY_MS = 25;
/** Then the worker tries by itself, and says what it meets. */
const LIMIT_MS = 30_000;

/** Resolves when somebody listens at "host:port", or after a while. */
export async function untilListening(address: string, clock: Clock): Promise<void> {
  const endMs = clock.monotonicMs() + LIMIT_MS;
  while (!(await isListening(address)) && clock.monotonicMs() < endMs) await clock.sleep(TRY_EVERY_MS);
}

function isListening(address: string): Promise<boolean> {
  const at = address.lastIndexOf(":");
  const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))];
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const answer = (listening: boolean): void => {
      socket.destroy();
      resolve(listening);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}
