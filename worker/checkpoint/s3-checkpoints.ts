/**
 * Checkpoints as objects of an S3-compatible store: plain GET, PUT and DELETE of an object, which S3 makes atomic, and
 * ListObjectsV2. Requests are signed by aws4fetch; repeating them is the caller's.
 *
 * Settings by the environment, as AWS's own clients have them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_REGION or AWS_DEFAULT_REGION (us-east-1 where none is said), and OCCAM_S3_ENDPOINT, AWS_ENDPOINT_URL_S3 or
 * AWS_ENDPOINT_URL for a store that is not AWS's, which is then addressed by path.
 */
import { AwsClient } from "aws4fetch";
import type { Clock } from "../../src/core/clock.ts";
import { OccamError, type ErrorCode } from "../../src/core/errors.ts";
import type { CellId } from "../../src/core/ids.ts";
import { cellOfFile, fileNameOf, type CheckpointStore, type Env, type StoredCheckpoint } from "./checkpoint-store.ts";

/** Of an answer's text in an error. */
const MOST_ERROR_CHARS = 300;

export class S3Checkpoints implements CheckpointStore {
  readonly place: string;
  readonly #client: AwsClient;
  /** Of the bucket, without a slash at the end. */
  readonly #url: string;
  /** "" or "runs/today/". */
  readonly #prefix: string;
  readonly #clock: Clock;

  private constructor(place: string, client: AwsClient, url: string, prefix: string, clock: Clock) {
    this.place = place;
    this.#client = client;
    this.#url = url;
    this.#prefix = prefix;
    this.#clock = clock;
  }

  /** Sends nothing yet. */
  static open(place: string, env: Env, clock: Clock): S3Checkpoints {
    const [, bucket, path = ""] = /^s3:\/\/([^/]+)\/?(.*)$/i.exec(place) ?? [];
    if (bucket === undefined) throw badPlace(place, "it names no bucket", "give s3://BUCKET/PREFIX");
    const [accessKeyId, secretAccessKey] = [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]];
    if (!accessKeyId || !secretAccessKey) {
      throw badPlace(place, "there are no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    const sessionToken = env["AWS_SESSION_TOKEN"];
    const region = env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"] ?? "us-east-1";
    const client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      ...(sessionToken ? { sessionToken } : {}),
      service: "s3",
      region,
      retries: 0,
    });
    const prefix = path === "" ? "" : `${path.replace(/\/+$/, "")}/`;
    return new S3Checkpoints(place, client, bucketUrl(place, bucket, region, env), prefix, clock);
  }

  async read(cellId: CellId, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const answer = await this.#send("GET", this.#urlOf(cellId), signal);
    if (answer.status === 404) {
      const text = await answer.text();
      if (!text.includes("NoSuchBucket")) return undefined;
      throw refusal(answer, "GET", text);
    }
    await expectGood(answer, "GET");
    return new Uint8Array(await answer.arrayBuffer());
  }

  async write(cellId: CellId, file: Uint8Array, signal: AbortSignal): Promise<void> {
    const answer = await this.#send("PUT", this.#urlOf(cellId), signal, file);
    await expectGood(answer, "PUT");
  }

  async remove(cellId: CellId, signal: AbortSignal): Promise<void> {
    const answer = await this.#send("DELETE", this.#urlOf(cellId), signal);
    if (answer.status !== 404) await expectGood(answer, "DELETE");
  }

  async list(signal: AbortSignal): Promise<readonly StoredCheckpoint[]> {
    const found: StoredCheckpoint[] = [];
    let token: string | undefined;
    do {
      const query = new URLSearchParams({ "list-type": "2", prefix: this.#prefix });
      if (token !== undefined) query.set("continuation-token", token);
      const answer = await this.#send("GET", `${this.#url}?${query.toString().replaceAll("+", "%20")}`, signal);
      await expectGood(answer, "GET");
      const text = await answer.text();
      for (const [, object = ""] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const cellId = cellOfFile((elementOf(object, "Key") ?? "").slice(this.#prefix.length));
        if (cellId === undefined) continue;
        const modifiedMs = Date.parse(elementOf(object, "LastModified") ?? "") || this.#clock.nowMs();
        found.push({ cellId, sizeBytes: Number(elementOf(object, "Size") ?? "0"), modifiedMs });
      }
      token = elementOf(text, "NextContinuationToken");
    } while (token !== undefined);
    return found;
  }

  #send(method: string, url: string, signal: AbortSignal, body?: Uint8Array): Promise<Response> {
    return this.#client.fetch(url, { method, signal, ...(body && { body: body as Uint8Array<ArrayBuffer> }) });
  }

  #urlOf(cellId: CellId): string {
    const key = `${this.#prefix}${fileNameOf(cellId)}`;
    return `${this.#url}/${key.split("/").map(encodeURIComponent).join("/")}`;
  }
}

function bucketUrl(place: string, bucket: string, region: string, env: Env): string {
  const endpoint = env["OCCAM_S3_ENDPOINT"] ?? env["AWS_ENDPOINT_URL_S3"] ?? env["AWS_ENDPOINT_URL"];
  if (endpoint === undefined || endpoint === "") {
    // A dot in the name would not fit the certificate of the host.
    const host = `s3.${region}.amazonaws.com`;
    return bucket.includes(".") ? `https://${host}/${bucket}` : `https://${bucket}.${host}`;
  }
  if (!URL.canParse(endpoint)) throw badPlace(place, `its endpoint "${endpoint}" is no URL`, "give http://HOST:PORT");
  return `${endpoint.replace(/\/+$/, "")}/${bucket}`;
}

/** @throws OccamError with what the store says */
async function expectGood(answer: Response, method: string): Promise<void> {
  if (!answer.ok) throw refusal(answer, method, await answer.text());
}

function refusal({ status }: Response, method: string, text: string): OccamError {
  const said = [elementOf(text, "Code"), elementOf(text, "Message")].filter((part) => part !== undefined).join(": ");
  const reason = said === "" ? text.slice(0, MOST_ERROR_CHARS) : said;
  return new OccamError(codeOf(status), `the store answered ${method} with ${status} ${reason}`.trim());
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return "permission-denied";
  return status >= 500 || status === 429 ? "unavailable" : "bad-config";
}

/** The text of the first element of this name; keys and codes hold no entity that matters. */
const elementOf = (xml: string, name: string): string | undefined =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];

const badPlace = (where: string, what: string, hint: string): OccamError =>
  new OccamError("bad-config", `checkpoints cannot lie there: ${what}`, { where, hint });
