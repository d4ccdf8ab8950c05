/**
 * A file of named tokens with roles, YAML or JSON. It holds hashes, never tokens; a name may stand twice while a token is
 * replaced by the next. It is read again as it changes: an entry that is gone is refused within seconds.
 *
 *   tokens:
 *     - { name: ada, roles: [operator], sha256: 9f86d081... }
 *     - { name: farm, roles: [worker], workerIds: gpu-, sha256: 60303ae2... }
 */
import { parse } from "yaml";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { messageOf, OccamError } from "../core/errors.ts";
import { FileWatch } from "../core/file-watch.ts";
import type { Logger } from "../core/log.ts";
import { ROLES } from "./roles.ts";
import { MAX_TOKENS, tokensOf, type TokenEntry, type Tokens } from "./tokens.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/u;

const fileSchema = z.strictObject({
  tokens: z
    .array(
      z.strictObject({
        name: z.string().regex(NAME, "a name has up to 64 letters, digits and ._@-"),
        roles: z.array(z.enum(ROLES)).min(1, "at least one role"),
        workerIds: z.string().max(128).default(""),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/u, "the SHA-256 of the token, 64 hexadecimal digits, as `occam token` prints it"),
      }),
    )
    .min(1, "at least one token")
    .max(MAX_TOKENS),
});

/** @throws "bad-config" with everything that is wrong with the file */
export function accessFile(path: string, clock: Clock, logger?: Logger, refreshMs?: number): Tokens {
  const watch = new FileWatch<readonly TokenEntry[]>({
    paths: [path],
    parse: ([content]) => parseAccess(content!.toString("utf8"), path),
    noun: "the access file",
    clock,
    ...(refreshMs === undefined ? {} : { refreshMs }),
    onChange: (entries) => logger?.info({ names: entries.map(({ name }) => name) }, "the access file was read again"),
    onTrouble: (error) =>
      logger?.error({ reason: messageOf(error) }, "the access file is no good; the tokens of before stay"),
  });
  return tokensOf(
    () => watch.value,
    () => watch.stop(),
  );
}

export function parseAccess(text: string, where: string): readonly TokenEntry[] {
  let value: unknown;
  try {
    value = parse(text, { logLevel: "error" });
  } catch (cause) {
    throw new OccamError("bad-config", `the access file is not valid YAML: ${messageOf(cause)}`, { where, cause });
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) {
    throw new OccamError("bad-config", `the access file is not valid: ${z.prettifyError(parsed.error)}`, {
      where,
      hint: "make an entry with `occam token --name NAME --role ROLE`",
    });
  }
  return parsed.data.tokens.map(({ name, roles, workerIds, sha256 }) => ({
    name,
    roles: new Set(roles),
    workerIds,
    sha256: Buffer.from(sha256, "hex"),
  }));
}
