/**
 * Streams of a coordinator that are followed across its ends: it may be killed, restarted, or followed by another one, and the
 * reader hears of it by a note, never by a missing or a repeated message.
 */
import type { TailLogsRequest, TailLogsResponse } from "../../proto/gen/occam/v1/operator.ts";
import { backoffMs, RECONNECT } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { OccamError, RETRYABLE } from "../core/errors.ts";
import { rootKey } from "../core/random.ts";

export interface FollowOptions {
  readonly signal?: AbortSignal;
  /** Try again even before the first answer: a coordinator is known to be coming. */
  readonly patient?: boolean;
  /** Told of each lost connection, before the next try. */
  readonly onLost?: (error: OccamError) => void;
}

export interface TailOptions extends FollowOptions {
  /** Told how far was read when all lines up to there have been taken: a resume token. */
  readonly onPlace?: (resumeToken: string) => void;
}

export interface SignalOnly {
  readonly signal?: AbortSignal;
}

/**
 * Opens a stream again when it breaks off by a retryable error, or ends though it should not, once it has been seen to work.
 *
 * @param isOver asked at a stream's orderly end: was that the end of what is followed?
 */
export async function* followed<R>(
  clock: Clock,
  { signal, onLost, patient }: FollowOptions,
  open: (settings: SignalOnly) => AsyncIterable<R>,
  isOver: () => boolean,
): AsyncGenerator<R> {
  const key = rootKey(`cli/reconnect/${process.pid}`);
  let worked = patient === true;
  for (let attempt = 0; ; attempt += 1) {
    try {
      for await (const message of open(signal === undefined ? {} : { signal })) {
        worked = true;
        attempt = 0;
        yield message;
      }
      if (isOver()) return;
      onLost?.(new OccamError("unavailable", "the coordinator has stopped"));
    } catch (error) {
      if (signal?.aborted === true) return;
      if (!worked || !(error instanceof OccamError) || !RETRYABLE[error.code]) throw error;
      onLost?.(error);
    }
    await clock.sleep(backoffMs(key, attempt, RECONNECT), signal);
    if (signal?.aborted === true) return;
  }
}

/** A log tail that goes on behind what it has given: the lines of its pages, one by one. */
export async function* tail(
  clock: Clock,
  request: Omit<TailLogsRequest, "pages">,
  options: TailOptions,
  open: (request: TailLogsRequest, settings: SignalOnly) => AsyncIterable<TailLogsResponse>,
): AsyncGenerator<TailLogsResponse> {
  let { resumeToken } = request;
  const again = (settings: SignalOnly) =>
    // `last` counts from the end, so it holds for the first try only.
    open({ ...request, pages: true, ...(resumeToken === "" ? {} : { resumeToken, last: 0 }) }, settings);
  for await (const answer of followed(clock, options, again, () => !request.follow)) {
    // A coordinator that knows no pages gives lines.
    for (const line of answer.record === undefined ? answer.lines : [answer]) {
      resumeToken = line.resumeToken;
      yield line;
    }
    resumeToken = answer.resumeToken;
    options.onPlace?.(resumeToken);
  }
}
