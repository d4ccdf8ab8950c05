/** A coordinator's bulk service in memory that misbehaves on request, one instruction a batch. */
import type { PushRequest, PushResponse } from "../../../proto/gen/occam/v1/bulk.ts";
import { OccamError } from "../../../src/core/errors.ts";
import type { Duplex } from "../../../src/rpc/client-calls.ts";

export type Mischief =
  /** Stored, but the connection breaks before the answer. */
  | "lose-reply"
  /** Never arrives, and the connection breaks. */
  | "lose-request"
  /** Stored only in half, and the answer says so. */
  | "store-half"
  | "fence"
  /** Not stored, ever, as the answer says. */
  | "refuse"
  /** Answers for a stream that was never sent. */
  | "confuse"
  /** The answer stays away until `release`. */
  | "hold";

interface Answer {
  readonly response?: PushResponse;
  readonly error?: Error;
}

export class FakeBulkPeer {
  /** What the next batches meet; when it is empty all goes well. */
  readonly mischief: Mischief[] = [];
  readonly requests: PushRequest[] = [];
  connections = 0;
  /** As every answer says. */
  windowBytes = 0;
  readonly #stored = new Map<string, unknown[]>();
  #held: (() => void)[] = [];

  stored(key: string): readonly unknown[] {
    return this.#stored.get(key) ?? [];
  }

  /** Forgets the last records of a stream, as a coordinator on an older copy of its store would. */
  forget(key: string, keep: number): void {
    this.#stored.set(key, this.stored(key).slice(0, keep));
  }

  release(): void {
    for (const answer of this.#held.splice(0)) answer();
  }

  open(): Duplex<PushRequest, PushResponse> {
    this.connections += 1;
    const queue: Answer[] = [];
    let wake: () => void = () => undefined;
    let broken: Error | undefined;
    const give = (answer: Answer): void => {
      queue.push(answer);
      wake();
    };
    const cut = (message: string): void => {
      if (broken === undefined) give({ error: (broken = new OccamError("unavailable", message)) });
    };
    async function* responses(): AsyncGenerator<PushResponse> {
      for (;;) {
        const next = queue.shift();
        if (next?.error !== undefined) throw next.error;
        if (next?.response !== undefined) yield next.response;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    }
    return {
      responses: responses(),
      send: async (request) => {
        if (broken !== undefined) throw broken;
        this.requests.push(request);
        this.#serve(request, give, cut);
      },
      end: () => undefined,
      cancel: () => cut("cancelled"),
    };
  }

  #serve(request: PushRequest, give: (answer: Answer) => void, cut: (message: string) => void): void {
    const mischief = this.mischief.shift();
    if (mischief === "lose-request") return cut("connection reset");
    if (mischief === "fence") return give({ response: answerTo(request, 0, true) });
    if (mischief === "confuse") return give({ response: { ...answerTo(request, 0, false), cellId: "another" } });
    if (mischief === "refuse") {
      const { length } = this.stored(`${request.token}/${request.cellId}/${request.kind}`);
      return give({ response: { ...answerTo(request, length, false), refused: "it is wrong" } });
    }
    const key = `${request.token}/${request.cellId}/${request.kind}`;
    const nextOffset = this.#store(key, request, mischief === "store-half");
    if (mischief === "lose-reply") return cut("connection reset");
    const { windowBytes } = this;
    const answer = (): void => give({ response: { ...answerTo(request, nextOffset, false), windowBytes } });
    if (mischief === "hold") this.#held.push(answer);
    else answer();
  }

  #store(key: string, request: PushRequest, half: boolean): number {
    const stream = this.#stored.get(key) ?? [];
    this.#stored.set(key, stream);
    const records: unknown[] = request.metrics === undefined ? [...request.logs] : [...request.metrics.value];
    const taken = half ? records.slice(0, Math.floor(records.length / 2)) : records;
    const first = Number(request.firstOffset);
    if (first <= stream.length) stream.push(...taken.slice(stream.length - first));
    return stream.length;
  }
}

function answerTo({ cellId, token, kind }: PushRequest, nextOffset: number, fenced: boolean): PushResponse {
  return { cellId, token, kind, nextOffset: BigInt(nextOffset), fenced, windowBytes: 0, refused: "" };
}
