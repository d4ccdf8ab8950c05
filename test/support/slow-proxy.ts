/** A line between a client and a server that carries the server's bytes at a trickle. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface SlowProxy {
  readonly port: number;
  /** Bytes that came through to clients. */
  carried(): number;
  close(): void;
}

/** @param bytesPerSecond from the server to a client; the other way is fast */
export async function startSlowProxy(targetPort: number, bytesPerSecond: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  let carried = 0;
  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1");
    for (const socket of [client, upstream]) sockets.add(socket.on("error", () => undefined));
    client.pipe(upstream);
    // Read by hand, so that what is not read stays with the server.
    upstream.pause();
    const perTurn = Math.ceil(bytesPerSecond / 10);
    timers.add(
      setInterval(() => {
        const piece = (upstream.read(perTurn) ?? upstream.read()) as Buffer | null;
        if (piece === null) return;
        carried += piece.byteLength;
        client.write(piece);
      }, 100),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    carried: () => carried,
    close: () => {
      server.close();
      for (const timer of timers) clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}
