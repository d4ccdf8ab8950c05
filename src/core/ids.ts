/** Branded ids, so that one kind is never passed for another. */
import { randomUUID } from "node:crypto";

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** SHA-256 of a cell's canonical form, 64 hex digits. */
export type CellId = Branded<string, "CellId">;
/** `<name>-<10 hex digits>`. */
export type SweepId = Branded<string, "SweepId">;
export type WorkerId = Branded<string, "WorkerId">;
/** New at every start of a worker process. */
export type SessionId = Branded<string, "SessionId">;
/** The fencing token of a lease. Grows with every grant on one store. */
export type LeaseToken = Branded<bigint, "LeaseToken">;
/** Cells of one fuse key can run as one fused program. 16 hex digits. */
export type FuseKey = Branded<string, "FuseKey">;

export const asCellId = (text: string): CellId => text as CellId;
export const asSweepId = (text: string): SweepId => text as SweepId;
export const asWorkerId = (text: string): WorkerId => text as WorkerId;
export const asSessionId = (text: string): SessionId => text as SessionId;
export const asLeaseToken = (token: bigint): LeaseToken => token as LeaseToken;
export const asFuseKey = (text: string): FuseKey => text as FuseKey;

export const newSessionId = (): SessionId => asSessionId(randomUUID());

/** As much of a cell id as people read. */
export const shortId = (id: string): string => id.slice(0, 12);
