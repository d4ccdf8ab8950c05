/**
 * X.509 certificates for tests, made on the spot: ECDSA on P-256 with SHA-256, in DER by hand (RFC 5280). Nothing here checks
 * anything; TLS in the product does.
 */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const DAY_MS = 86_400_000;

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const size = body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const ECDSA_SHA256 = sequence(oid("2a8648ce3d040302"));
const COMMON_NAME = oid("550403");
const BASIC_CONSTRAINTS = oid("551d13");
const ALT_NAME = oid("551d11");

const nameOf = (name: string): Buffer => sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))));

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/gu, "");
  return der(0x18, Buffer.from(text));
}

const extension = (id: Buffer, value: Buffer): Buffer => sequence(id, der(0x04, value));

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString("base64").replaceAll(/.{64}/gu, "$&\n").trim()}\n-----END CERTIFICATE-----\n`;

let serial = 1;

interface Authority {
  readonly name: string;
  readonly key: KeyObject;
  readonly pem: string;
}

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

interface Subject {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly isAuthority: boolean;
  readonly endMs: number;
}

function certify(subject: Subject, issuer: string, issuerKey: KeyObject): string {
  const loopback = der(0x30, der(0x82, Buffer.from("localhost")), der(0x87, Buffer.from([127, 0, 0, 1])));
  const extensions = subject.isAuthority
    ? [extension(BASIC_CONSTRAINTS, sequence(der(0x01, Buffer.from([0xff]))))]
    : [extension(ALT_NAME, loopback)];
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([(serial += 1)])),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(Date.now() - DAY_MS), time(subject.endMs)),
    nameOf(subject.name),
    subject.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", body, issuerKey);
  return pem(sequence(body, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature)));
}

export function newAuthority(name: string): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = { name, publicKey, isAuthority: true, endMs: Date.now() + DAY_MS };
  return { name, key: privateKey, pem: certify(subject, name, privateKey) };
}

/** For localhost and 127.0.0.1, signed by the authority; for a day unless it says otherwise. */
export function newCertificate(authority: Authority, name: string, endMs = Date.now() + DAY_MS): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    cert: certify({ name, publicKey, isAuthority: false, endMs }, authority.name, authority.key),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** Writes NAME.crt and NAME.key into the folder. */
export function writeCertificate(folder: string, name: string, { cert, key }: Certificate) {
  const paths = { certPath: join(folder, `${name}.crt`), keyPath: join(folder, `${name}.key`) };
  writeFileSync(paths.certPath, cert);
  writeFileSync(paths.keyPath, key, { mode: 0o600 });
  return paths;
}
