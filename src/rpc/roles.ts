/**
 * Who may call what: the one table. A method that stands in no table cannot be served (`rolesOf` refuses at the start), and the
 * types refuse a table that lacks a method of a service of ours.
 *
 *   viewer    reads sweeps, cells, series, logs and workers
 *   operator  what a viewer may, and submits, pauses, changes, reruns and cancels
 *   worker    takes cells, sends metrics, logs and results; reads nothing else
 */
import type { ServiceDefinition } from "@grpc/grpc-js";
import { BulkServiceService } from "../../proto/gen/occam/v1/bulk.ts";
import { ControlServiceService } from "../../proto/gen/occam/v1/control.ts";
import { OperatorServiceService } from "../../proto/gen/occam/v1/operator.ts";
import { invariant } from "../core/errors.ts";

export const ROLES = ["viewer", "operator", "worker"] as const;
export type Role = (typeof ROLES)[number];

/** "anyone": without a token, for health checks, which say nothing but that a server is there. */
export type Requirement = Role | "anyone";

type TableOf<S> = Readonly<Record<keyof S, Role>>;

const CONTROL: TableOf<typeof ControlServiceService> = { sync: "worker", commit: "worker", commitAll: "worker" };

const BULK: TableOf<typeof BulkServiceService> = { push: "worker" };

const OPERATOR: TableOf<typeof OperatorServiceService> = {
  getServer: "viewer",
  submitSweep: "operator",
  getSweep: "viewer",
  listSweeps: "viewer",
  cancelSweep: "operator",
  pauseSweep: "operator",
  resumeSweep: "operator",
  rerunSweep: "operator",
  changeSweep: "operator",
  resetWorker: "operator",
  explainCell: "viewer",
  watchSweep: "viewer",
  listWorkers: "viewer",
  listCells: "viewer",
  listSeries: "viewer",
  tailLogs: "viewer",
  findCached: "viewer",
};

const REQUIREMENTS: ReadonlyMap<string, Requirement> = new Map<string, Requirement>([
  ...pathsOf(ControlServiceService, CONTROL),
  ...pathsOf(BulkServiceService, BULK),
  ...pathsOf(OperatorServiceService, OPERATOR),
  ["/grpc.health.v1.Health/Check", "anyone"],
  ["/grpc.health.v1.Health/List", "anyone"],
  ["/grpc.health.v1.Health/Watch", "anyone"],
  ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "viewer"],
  ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "viewer"],
]);

/** What a call of this path needs; undefined: no such method is served. */
export function requirementOf(path: string): Requirement | undefined {
  return REQUIREMENTS.get(path);
}

/** Does one of the roles that a token has meet the requirement? An operator is a viewer too. */
export function meets(roles: ReadonlySet<Role>, requirement: Role): boolean {
  return roles.has(requirement) || (requirement === "viewer" && roles.has("operator"));
}

/** Stops a server that would serve a method without a requirement. */
export function checkRequirements(definitions: readonly ServiceDefinition[]): void {
  for (const { path } of definitions.flatMap((definition) => Object.values(definition))) {
    invariant(REQUIREMENTS.has(path), `src/rpc/roles.ts says who may call ${path}`);
  }
}

function pathsOf(definition: ServiceDefinition, table: Readonly<Record<string, Role>>): [string, Requirement][] {
  return Object.entries(table).map(([name, role]) => [definition[name]!.path, role]);
}
