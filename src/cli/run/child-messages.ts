/** What `occam run` and its child processes tell each other over IPC. */
import type { ErrorCode } from "../../core/errors.ts";

export type ChildMessage =
  /** The start has succeeded. A coordinator says where it serves; a worker, where its coordinator does and what it computes on. */
  | { readonly type: "ready"; readonly address: string; readonly backend?: string }
  /** The process ends with this code because of an error. */
  | { readonly type: "failed"; readonly code: ErrorCode; readonly text: string };

/** Did an `occam run` start this process? It may be gone since. */
export const isSupervised = (): boolean => process.send !== undefined;

/** Resolves when the message is on its way, so that the process may end. */
export function reportToSupervisor(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

export function asChildMessage(value: unknown): ChildMessage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { type } = value as { readonly type?: unknown };
  return type === "ready" || type === "failed" ? (value as ChildMessage) : undefined;
}
