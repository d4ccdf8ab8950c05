/** TLS and mutual TLS over real sockets, with certificates made on the spot. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { ControlServiceService, SyncRequest, SyncResponse } from "../../../proto/gen/occam/v1/control.ts";
import { unary } from "../../../src/rpc/adapters.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { connect, type ConnectOptions, type Connection } from "../../../src/rpc/client.ts";
import type { ClientTls, ServerTls } from "../../../src/rpc/tls.ts";
import { newAuthority, newCertificate, writeCertificate } from "../../support/certificates.ts";
import { settleMs, testServer, TOKEN, until, type TestServer } from "./rpc-fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "occam-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

const ours = newAuthority("our authority");
const theirs = newAuthority("another authority");
const caPath = join(folder, "ca.crt");
writeFileSync(caPath, ours.pem);
const serverPair = writeCertificate(folder, "server", newCertificate(ours, "coordinator"));
const clientPair = writeCertificate(folder, "client", newCertificate(ours, "worker"));
const strangerPair = writeCertificate(folder, "stranger", newCertificate(theirs, "stranger"));

const echo = { sync: unary(async () => SyncResponse.fromPartial({ nextSyncMs: 7 })) };
const secure = (tls: ServerTls, refreshMs = 10_000): Promise<TestServer> =>
  testServer({ control: echo }, { tls, refreshMs });

function client(address: string, tls: ClientTls | undefined, more: Partial<ConnectOptions> = {}): Connection {
  return connect({ address, token: TOKEN, tls, ...more });
}

async function call(connection: Connection): Promise<string> {
  const request = SyncRequest.fromPartial({ workerId: "w" });
  try {
    const { nextSyncMs } = await callUnary(connection.control, ControlServiceService.sync, request);
    return nextSyncMs === 7 ? "answered" : "wrong";
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    connection.close();
  }
}

describe("TLS", () => {
  it("carries calls between ends that trust each other, by name and by address", async () => {
    const server = await secure(serverPair);
    expect(await call(client(server.address, { caPath }))).toBe("answered");
    expect(await call(client(`localhost:${server.port}`, { caPath }))).toBe("answered");
  });

  it("is not talked past: plaintext, a strange authority, or another name get nothing but a hint", async () => {
    const server = await secure(serverPair);
    expect(await call(client(server.address, undefined))).toBe("unavailable");
    const strange = writeCertificate(folder, "strange-ca", { cert: theirs.pem, key: "" });
    expect(await call(client(server.address, { caPath: strange.certPath }))).toBe("unavailable");
    expect(await call(client(server.address, { caPath: "system" }))).toBe("unavailable");
    expect(await call(client(`127.0.0.2:${server.port}`, { caPath }))).toBe("unavailable");
    const connection = client(server.address, { caPath: "system" });
    await expect(
      callUnary(connection.control, ControlServiceService.sync, SyncRequest.fromPartial({})),
    ).rejects.toThrow(expect.objectContaining({ hint: expect.stringContaining("--tls-ca") }));
    connection.close();
  });

  it("speaks no older protocol than 1.2", async () => {
    const server = await secure(serverPair);
    const outcome = await new Promise<string>((resolve) => {
      const options = { port: server.port, host: "127.0.0.1", ca: ours.pem, maxVersion: "TLSv1.1" } as const;
      const socket = connectTls({ ...options, minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" }, () =>
        resolve("connected"),
      );
      socket.on("error", () => resolve("refused"));
    });
    expect(outcome).toBe("refused");
  });

  it("is needed by a client to send its token to another machine", () => {
    expect(() => client("192.0.2.7:7171", undefined)).toThrow(/another machine, and without TLS/);
    client("192.0.2.7:7171", undefined, { allowPlaintext: true }).close();
    client("192.0.2.7:7171", { caPath }).close();
  });
});

describe("mutual TLS", () => {
  it("lets in a client with a certificate of the authority, and no other, whatever its token", async () => {
    const server = await secure({ ...serverPair, clientCaPath: caPath });
    expect(await call(client(server.address, { caPath, ...clientPair }))).toBe("answered");
    expect(await call(client(server.address, { caPath }))).toBe("unavailable");
    expect(await call(client(server.address, { caPath, ...strangerPair }))).toBe("unavailable");
    const wrongToken = client(server.address, { caPath, ...clientPair }, { token: "another" });
    expect(await call(wrongToken)).toBe("unauthenticated");
  });
});

describe("certificates", () => {
  it("are checked before a server starts: each mistake is named with its file", async () => {
    const text = join(folder, "text");
    writeFileSync(text, "no certificate");
    const other = writeCertificate(folder, "other", newCertificate(ours, "other"));
    const wrong: readonly [ServerTls, RegExp][] = [
      [{ ...serverPair, certPath: join(folder, "missing") }, /cannot be read/],
      [{ ...serverPair, certPath: text }, /no certificate in PEM form/],
      [{ ...serverPair, keyPath: text }, /no private key in PEM form/],
      [{ ...serverPair, keyPath: other.keyPath }, /not of the certificate/],
      [{ ...serverPair, clientCaPath: text }, /no certificate in PEM form/],
    ];
    for (const [tls, message] of wrong) {
      await expect(secure(tls)).rejects.toMatchObject({ code: "bad-config", message: expect.stringMatching(message) });
    }
  });

  it("are replaced while the server runs, and a half-replaced pair changes nothing", async () => {
    const pair = writeCertificate(folder, "rotated", newCertificate(ours, "first"));
    const server = await secure(pair, 20);
    expect(await served(server.port)).toBe("first");
    const second = newCertificate(ours, "second");
    writeFileSync(pair.certPath, second.cert);
    const bad = (): boolean => server.logged.some(({ msg }) => String(msg).includes("are no good"));
    await until(bad, "the half-replaced pair is told of");
    expect(await served(server.port)).toBe("first");
    writeFileSync(pair.keyPath, second.key);
    await until(() => server.logged.some(({ msg }) => msg === "new certificates are in use"), "the new pair is taken");
    expect(await served(server.port)).toBe("second");
    expect(JSON.stringify(server.logged)).not.toContain("PRIVATE KEY");
    expect(await call(client(server.address, { caPath }))).toBe("answered");
  });

  it("of a client are replaced while it runs: its next connection has the new one", async () => {
    const pair = writeCertificate(folder, "client-rotated", newCertificate(theirs, "stranger"));
    const server = await secure({ ...serverPair, clientCaPath: caPath });
    const connection = client(server.address, { caPath, ...pair }, { refreshMs: 20 });
    const attempt = (): Promise<boolean> =>
      callUnary(connection.control, ControlServiceService.sync, SyncRequest.fromPartial({})).then(
        () => true,
        () => false,
      );
    expect(await attempt()).toBe(false);
    writeCertificate(folder, "client-rotated", newCertificate(ours, "worker"));
    let reached = false;
    for (let round = 0; round < 100 && !reached; round += 1) {
      await settleMs(50);
      reached = await attempt();
    }
    connection.close();
    expect(reached).toBe(true);
  });
});

/** The common name of the certificate that a new connection is shown. */
function served(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", ca: ours.pem, ALPNProtocols: ["h2"] }, () => {
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      resolve(String(subject.CN));
    });
    socket.on("error", reject);
  });
}
