/** A network between a client and a server that can be cut without a word: nothing comes through, and nobody is told. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface CutProxy {
  readonly port: number;
  /** Connections stay open and silent, the new ones too; what was sent meanwhile is lost with them. */
  cut(): void;
  /** New connections come through; those of before stay silent, as after a fail-over of an address. */
  mend(): void;
  /** Ends the connections of now: both sides are told. */
  breakOff(): void;
  close(): void;
}

export async function startCutProxy(targetPort: number): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    sockets.add(client.on("error", () => undefined));
    if (isCut) return void client.pause();
    const upstream = connect(targetPort, "127.0.0.1");
    sockets.add(upstream.on("error", () => undefined));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    mend: () => (isCut = false),
    breakOff: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
