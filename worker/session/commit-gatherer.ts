/**
 * Commits that are asked for in one turn of the event loop go as one call: the cells of a fused shard end together, and a call
 * costs both sides more than a commit does.
 *
 * Invariant: each commit is answered, or fails, as if it had gone alone. A call of several that fails for another reason than that
 * the coordinator is out of reach is taken apart, so that a refusal meets the commit that it is of.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { CommitRequest, CommitResponse } from "../../proto/gen/occam/v1/control.ts";
import { OccamError, RETRYABLE } from "../../src/core/errors.ts";
import type { CallSettings } from "../../src/rpc/client-calls.ts";

/** Commits of one call, and the characters of their results: well below what a message may have. */
const COMMITS_MAX = 64;
const CHARS_MAX = 1024 * 1024;

type Settings = Required<Pick<CallSettings, "deadlineMs" | "signal" | "traceparent">>;

export interface CommitCalls {
  one(request: CommitRequest, settings: CallSettings): Promise<CommitResponse>;
  all(requests: readonly CommitRequest[], settings: CallSettings): Promise<readonly CommitResponse[]>;
}

interface Waiting {
  readonly request: CommitRequest;
  readonly settings: Settings;
  readonly resolve: (answer: CommitResponse | Promise<CommitResponse>) => void;
  readonly reject: (error: unknown) => void;
}

export class CommitGatherer {
  readonly #calls: CommitCalls;
  #gathered: Waiting[] = [];
  /** An older coordinator does not know the call. */
  #oneByOne = false;

  constructor(calls: CommitCalls) {
    this.#calls = calls;
  }

  commit(request: CommitRequest, settings: Settings): Promise<CommitResponse> {
    // A span of its own goes with a call of its own.
    if (this.#oneByOne || settings.traceparent !== "") return this.#calls.one(request, settings);
    return new Promise((resolve, reject) => {
      this.#gathered.push({ request, settings, resolve, reject });
      if (this.#gathered.length === 1) void this.#sendNext();
    });
  }

  async #sendNext(): Promise<void> {
    await nextTurn();
    const gathered = this.#gathered;
    this.#gathered = [];
    for (const part of partsOf(gathered)) void this.#send(part);
  }

  async #send(part: readonly Waiting[]): Promise<void> {
    const [first] = part;
    if (first === undefined) return;
    if (part.length === 1) return void this.#sendAlone(part);
    const requests = part.map(({ request }) => request);
    const { deadlineMs, signal } = first.settings;
    // Who gives up is one shard or the whole worker: the answers of others are not to be lost by that.
    const isSame = part.every(({ settings }) => settings.signal === signal);
    try {
      const answers = await this.#calls.all(requests, isSame ? { deadlineMs, signal } : { deadlineMs });
      for (const [at, { resolve, reject }] of part.entries()) {
        const answer = answers[at];
        if (answer !== undefined) resolve(answer);
        else reject(new OccamError("protocol", "the coordinator has answered fewer commits than were sent"));
      }
    } catch (error) {
      await this.#onFailure(part, error);
    }
  }

  async #onFailure(part: readonly Waiting[], error: unknown): Promise<void> {
    const code = error instanceof OccamError ? error.code : undefined;
    const isRefusal = code !== undefined && !RETRYABLE[code] && code !== "cancelled";
    if (!isRefusal) return part.forEach(({ reject }) => reject(error));
    const alone = await Promise.allSettled(this.#sendAlone(part));
    // None of them was refused: it is the call that this coordinator does not know.
    if (alone.every(({ status }) => status === "fulfilled")) this.#oneByOne = true;
  }

  #sendAlone(part: readonly Waiting[]): readonly Promise<CommitResponse>[] {
    return part.map(({ request, settings, resolve }) => {
      const answer = this.#calls.one(request, settings);
      resolve(answer);
      return answer;
    });
  }
}

function* partsOf(gathered: readonly Waiting[]): Generator<readonly Waiting[]> {
  let part: Waiting[] = [];
  let chars = 0;
  for (const each of gathered) {
    const { outcome } = each.request;
    const length = outcome?.$case === "result" ? outcome.value.json.length : 0;
    if (part.length === COMMITS_MAX || (part.length > 0 && chars + length > CHARS_MAX)) {
      yield part;
      part = [];
      chars = 0;
    }
    part.push(each);
    chars += length;
  }
  if (part.length > 0) yield part;
}
