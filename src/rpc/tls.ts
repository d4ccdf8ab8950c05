/**
 * TLS for both ends of a connection. Certificates are checked before they are used and replaced while the process runs: a new
 * connection takes the newest good ones, a connection that stands keeps its own.
 *
 * A provider of our own, and not grpc-js's file watcher: that one drops all connections while a pair is half replaced, and says
 * nothing of a file that is wrong.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { credentials, experimental, ServerCredentials, type ChannelCredentials } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { messageOf, OccamError } from "../core/errors.ts";
import { FileWatch } from "../core/file-watch.ts";
import type { Logger } from "../core/log.ts";

/** Paths of PEM files. */
export interface ServerTls {
  readonly certPath: string;
  readonly keyPath: string;
  /** Given: a client needs a certificate that one of these authorities has signed. */
  readonly clientCaPath?: string;
}

export interface ClientTls {
  /** Authorities that may have signed the coordinator's certificate; "system": those that Node.js trusts. */
  readonly caPath: string;
  readonly certPath?: string;
  readonly keyPath?: string;
}

export const SYSTEM_AUTHORITIES = "system";

export interface TlsContext {
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  /** Between two looks at the files; FILE_REFRESH_MS when left out. */
  readonly refreshMs?: number | undefined;
}

interface Secured<C> {
  readonly credentials: C;
  stop(): void;
}

interface Material {
  readonly identity?: experimental.IdentityCertificateUpdate;
  readonly ca?: experimental.CaCertificateUpdate;
}

/** @throws "bad-config" with the file when a certificate or key cannot be used */
export function serverCredentials(tls: ServerTls | undefined, context: TlsContext): Secured<ServerCredentials> {
  if (tls === undefined) return { credentials: ServerCredentials.createInsecure(), stop: () => undefined };
  const { certPath, keyPath, clientCaPath } = tls;
  const source = new CertificateSource({ certPath, keyPath, caPath: clientCaPath }, context);
  const mutual = clientCaPath !== undefined;
  // The first parameter is the identity, whatever grpc-js 1.14 calls it in its types.
  const made = experimental.createCertificateProviderServerCredentials(source, mutual ? source : null, mutual);
  return { credentials: made, stop: () => source.stop() };
}

/** @throws "bad-config" with the file when a certificate or key cannot be used */
export function channelCredentials(tls: ClientTls | undefined, context: TlsContext): Secured<ChannelCredentials> {
  if (tls === undefined) return { credentials: credentials.createInsecure(), stop: () => undefined };
  const source = new CertificateSource(tls, context);
  const identity = tls.certPath === undefined ? null : source;
  const made = experimental.createCertificateProviderChannelCredentials(source, identity);
  return { credentials: made, stop: () => source.stop() };
}

interface SourcePaths {
  readonly certPath?: string | undefined;
  readonly keyPath?: string | undefined;
  readonly caPath?: string | undefined;
}

/** Tells grpc-js of the certificates in some files, and of newer ones. */
class CertificateSource implements experimental.CertificateProvider {
  readonly #watch: FileWatch<Material>;
  readonly #caListeners = new Set<experimental.CaCertificateUpdateListener>();
  readonly #identityListeners = new Set<experimental.IdentityCertificateUpdateListener>();

  constructor(paths: SourcePaths, { clock, logger, refreshMs }: TlsContext) {
    const named = Object.entries(paths).flatMap(([name, path]: [string, string | undefined]) =>
      path === undefined || (name === "caPath" && path === SYSTEM_AUTHORITIES) ? [] : [[name, path] as const],
    );
    this.#watch = new FileWatch<Material>({
      paths: named.map(([, path]) => path),
      parse: (contents) => materialOf(paths, new Map(named.map(([name], index) => [name, contents[index]!]))),
      noun: "the certificate file",
      clock,
      ...(refreshMs === undefined ? {} : { refreshMs }),
      onChange: (material) => {
        logger?.info({ ...describe(material) }, "new certificates are in use");
        for (const listener of this.#identityListeners) listener(material.identity ?? null);
        for (const listener of this.#caListeners) listener(material.ca ?? null);
      },
      onTrouble: (error) =>
        logger?.error({ reason: messageOf(error) }, "new certificates are no good; the old ones stay"),
    });
  }

  stop(): void {
    this.#watch.stop();
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#caListeners.add(listener);
    // Not at once: grpc-js adds what it wants to be told of after this call.
    queueMicrotask(() => listener(this.#watch.value.ca ?? null));
  }

  removeCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#caListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.add(listener);
    queueMicrotask(() => listener(this.#watch.value.identity ?? null));
  }

  removeIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.delete(listener);
  }
}

function materialOf(paths: SourcePaths, files: ReadonlyMap<string, Buffer>): Material {
  const certificate = files.get("certPath");
  const privateKey = files.get("keyPath");
  if ((certificate === undefined) !== (privateKey === undefined)) {
    throw new OccamError("bad-config", "a certificate needs its private key, and a key its certificate", {
      hint: "give both --tls-cert and --tls-key",
    });
  }
  if (certificate !== undefined && privateKey !== undefined) checkPair(certificate, privateKey, paths);
  const ca = paths.caPath === SYSTEM_AUTHORITIES ? Buffer.from(rootCertificates.join("\n")) : files.get("caPath");
  if (ca !== undefined && paths.caPath !== SYSTEM_AUTHORITIES) parseCertificate(ca, paths.caPath ?? "");
  return {
    ...(certificate === undefined || privateKey === undefined ? {} : { identity: { certificate, privateKey } }),
    ...(ca === undefined ? {} : { ca: { caCertificate: ca } }),
  };
}

function checkPair(certificate: Buffer, privateKey: Buffer, { certPath, keyPath }: SourcePaths): void {
  const parsed = parseCertificate(certificate, certPath ?? "");
  const where = keyPath ?? "";
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(privateKey);
  } catch {
    // What it says of the key's text stays here.
    throw new OccamError("bad-config", "this is no private key in PEM form without a passphrase", { where });
  }
  if (!parsed.checkPrivateKey(key)) {
    throw new OccamError("bad-config", `this private key is not of the certificate in ${certPath}`, { where });
  }
}

function parseCertificate(pem: Buffer, where: string): X509Certificate {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(pem);
  } catch (cause) {
    throw new OccamError("bad-config", "this is no certificate in PEM form", { where, cause });
  }
  return parsed;
}

/** Names and end of a certificate, which are no secret. */
function describe({ identity }: Material): Readonly<Record<string, string>> {
  if (identity === undefined) return {};
  const { subject, subjectAltName, validTo } = new X509Certificate(identity.certificate);
  return { subject: subjectAltName ?? subject, validTo };
}
