/** A network between a client and a server that fails without a word: nothing comes through, and nobody is told. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** From the client to the server, or back. */
export type Way = "up" | "down";

export interface CutProxy {
  readonly port: number;
  /** Connections stay open and silent, the new ones too; what was sent meanwhile is lost with them. */
  cut(): void;
  /** New connections come through; those of before stay silent, as after a fail-over of an address. */
  mend(): void;
  /** Ends the connections of now: both sides are told. */
  breakOff(): void;
  /** Nothing comes through these ways until `release`, and nothing is lost: TCP sends it again, as after a short partition. */
  hold(...ways: readonly Way[]): void;
  release(): void;
  /** Every byte takes so long, each way. */
  delay(ms: number): void;
  /** The server's ends are gone, the clients' are silent: as after a power cut. New connections come through. */
  halfOpen(): void;
  close(): void;
}

interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
}

export async function startCutProxy(targetPort: number): Promise<CutProxy> {
  const links = new Set<Link>();
  const dead = new Set<Socket>();
  const held = new Set<Way>();
  let isCut = false;
  let delayMs = 0;
  const forward = (from: Socket, to: Socket): void => {
    const write = (chunk: Buffer): void => {
      if (dead.has(from) || dead.has(to) || to.destroyed || to.write(chunk)) return;
      from.pause();
      to.once("drain", () => from.resume());
    };
    from.on("data", (chunk: Buffer) => void (delayMs === 0 ? write(chunk) : setTimeout(() => write(chunk), delayMs)));
    // An end is a word too.
    const end = (): void => {
      if (!dead.has(from) && !dead.has(to)) to.destroy();
    };
    from.on("end", end).on("close", end);
  };
  const holdLink = ({ client, upstream }: Link): void => {
    if (held.has("up")) client.pause();
    if (held.has("down")) upstream.pause();
  };
  const silence = ({ client, upstream }: Link): void => {
    for (const socket of [client, upstream]) {
      dead.add(socket);
      socket.pause();
    }
  };
  const server = createServer((client) => {
    client.on("error", () => undefined);
    if (isCut) return void dead.add(client.pause());
    const upstream = connect(targetPort, "127.0.0.1").on("error", () => undefined);
    const link = { client, upstream };
    links.add(link);
    forward(client, upstream);
    forward(upstream, client);
    holdLink(link);
    upstream.once("close", () => links.delete(link));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
      links.forEach(silence);
    },
    mend: () => (isCut = false),
    breakOff: () => {
      for (const { client, upstream } of links) {
        client.destroy();
        upstream.destroy();
      }
    },
    hold: (...ways) => {
      for (const way of ways) held.add(way);
      links.forEach(holdLink);
    },
    release: () => {
      held.clear();
      for (const { client, upstream } of links) {
        if (!dead.has(client)) client.resume();
        if (!dead.has(upstream)) upstream.resume();
      }
    },
    delay: (ms) => (delayMs = ms),
    halfOpen: () => {
      for (const link of links) {
        silence(link);
        link.upstream.destroy();
      }
    },
    close: () => {
      server.close();
      for (const { client, upstream } of links) for (const socket of [client, upstream]) socket.destroy();
      for (const socket of dead) socket.destroy();
    },
  };
}
