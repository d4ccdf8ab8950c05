/**
 * Settings that need no flag: environment (`OCCAM_<NAME>`) over config file. Flags lie above both and defaults below, which
 * is yargs' own order for a config object.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { messageOf, OccamError } from "../core/errors.ts";
import { nearestOf } from "../spec/nearest.ts";

/** The options that may stand in the environment and in the config file. Secrets may not: a token has a file or OCCAM_TOKEN. */
export const SETTINGS: readonly string[] = [
  "coordinator",
  "token-file",
  "access-file",
  "tls-ca",
  "tls-cert",
  "tls-key",
  "tls-client-ca",
  "allow-plaintext",
  "workers",
  "out",
  "fuse-width",
  "backend",
  "spool",
  "store",
  "host",
  "port",
  "advertise",
  "quota-sweep-cells",
  "quota-cells",
  "metrics-port",
  "metrics-host",
  "log-level",
  "checkpoints",
  "checkpoint-every",
];

const DEFAULT_FILES = ["occam.config.yaml", "occam.config.yml", "occam.config.json"];

type Values = Readonly<Record<string, unknown>>;

export interface Settings {
  /** The values of these options, for those that are set. */
  valuesOf(names: readonly string[]): Values;
  /** "OCCAM_BACKEND" or the config file's name: where an option's value comes from when no flag gives it. */
  sourceOf(name: string): string | undefined;
}

/** Reads nothing until the first question, so that `version` and `--help` work beside a broken file. */
export function settingsOf(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, cwd: string) {
  let cached: { readonly file: Values; readonly path: string } | undefined;
  const read = () => (cached ??= readConfigFile(argv, env, cwd));
  const lookUp = (name: string): readonly [value: unknown, source: string] | undefined => {
    // A token from the environment lies above a token file of the config file.
    const variable = variableOf(name);
    const fromEnv = env[variable];
    if (fromEnv !== undefined && fromEnv !== "") return [fromEnv, variable];
    if (name === "token-file" && env["OCCAM_TOKEN"] !== undefined) return undefined;
    const { file, path } = read();
    return name in file ? [file[name], path] : undefined;
  };
  const settings: Settings = {
    valuesOf: (names) =>
      Object.fromEntries(
        names.flatMap((name) => {
          const found = lookUp(name);
          return found === undefined ? [] : [[name, found[0]]];
        }),
      ),
    sourceOf: (name) => lookUp(name)?.[1],
  };
  return settings;
}

/** "fuse-width" -> "OCCAM_FUSE_WIDTH" */
export const variableOf = (name: string): string => `OCCAM_${name.replaceAll("-", "_").toUpperCase()}`;

export const kebab = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-");

function configPath(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, cwd: string) {
  const at = argv.findIndex((word) => word === "--config" || word.startsWith("--config="));
  const word = argv[at];
  const given = word === undefined ? env["OCCAM_CONFIG"] : word === "--config" ? argv[at + 1] : word.slice(9);
  if (given !== undefined && given !== "") return given;
  return DEFAULT_FILES.find((name) => existsSync(join(cwd, name)));
}

function readConfigFile(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, cwd: string) {
  const path = configPath(argv, env, cwd);
  if (path === undefined) return { file: {}, path: "" };
  const file: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parseFile(path, cwd))) {
    const name = kebab(key);
    if (!SETTINGS.includes(name)) throw unknownKey(path, key, name);
    if (value !== null && typeof value === "object") {
      throw new OccamError("bad-config", `"${key}" must be a single value`, { where: path });
    }
    file[name] = value;
  }
  return { file, path };
}

function parseFile(path: string, cwd: string): Values {
  let value: unknown;
  try {
    // The YAML parser is loaded when there is a file to parse, and yargs wants its answer at once: hence require.
    const yaml = createRequire(import.meta.url)("yaml") as { parse(text: string): unknown };
    value = yaml.parse(readFileSync(join(path.startsWith("/") ? "" : cwd, path), "utf8"));
  } catch (cause) {
    throw new OccamError("bad-config", `the config file cannot be read: ${messageOf(cause)}`, { where: path, cause });
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new OccamError("bad-config", "a config file holds one mapping of settings", { where: path });
  }
  return value as Values;
}

function unknownKey(path: string, key: string, name: string): OccamError {
  const close = nearestOf(name, SETTINGS);
  const hint = close === undefined ? `Settings: ${SETTINGS.join(", ")}.` : `Did you mean "${close}"?`;
  return new OccamError("bad-config", `unknown setting "${key}"`, { where: path, hint });
}
