/** Traces over real OTLP and real gRPC: one trace from the submission to the commit, and nothing at all when they are off. */
import { createServer, type Server } from "node:http";
import { Writable } from "node:stream";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { startCoordinator } from "../../../coordinator/main.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { asWorkerId } from "../../../src/core/ids.ts";
import { createLogger } from "../../../src/core/log.ts";
import { asTraceparent, isTraced, NO_TRACER, openTracer, traced } from "../../../src/core/trace.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { connect } from "../../../src/rpc/client.ts";
import { oneToken } from "../../../src/rpc/tokens.ts";
import { startWorker } from "../../../worker/main.ts";
import { SPEC } from "../coordinator/services-fixture.ts";

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
}
interface OtlpBody {
  readonly resourceSpans: {
    readonly resource: { readonly attributes: { key: string; value: { stringValue?: string } }[] };
    readonly scopeSpans: { readonly spans: OtlpSpan[] }[];
  }[];
}

let collector: Server;
let folder: string;
const spans: (OtlpSpan & { readonly service: string })[] = [];
const VARIABLES = ["OTEL_EXPORTER_OTLP_ENDPOINT"];

beforeEach(async () => {
  spans.length = 0;
  folder = mkdtempSync(join(tmpdir(), "occam-trace-"));
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as OtlpBody;
      for (const { resource, scopeSpans } of body.resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, service });
      }
      response.setHeader("content-type", "application/json");
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as { port: number };
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${port}`;
});
afterEach(async () => {
  for (const name of VARIABLES) delete process.env[name];
  await new Promise((resolve) => collector.close(resolve));
  rmSync(folder, { recursive: true });
});

const logger = createLogger({
  component: "test",
  level: "error",
  destination: new Writable({ write: (_chunk, _encoding, done) => done() }),
});

describe("a trace", () => {
  it("leads from the submission over grant, shard and commit to the coordinator's commit", async () => {
    const [cli, coordinatorTracer, workerTracer] = await Promise.all(
      ["cli", "coordinator", "worker"].map((component) => openTracer(component, process.env)),
    );
    const coordinator = await startCoordinator({
      store: folder,
      host: "127.0.0.1",
      port: 0,
      tokens: oneToken("t"),
      clock: systemClock,
      logger,
      tracer: coordinatorTracer!,
    });
    const { operator, close } = connect({ address: coordinator.address, token: "t" });
    await traced(cli!, "submit", "", ({ traceparent }) =>
      callUnary(
        operator,
        OperatorServiceService.submitSweep,
        { specText: SPEC, fileName: "m.yaml", noCache: false, requestId: "" },
        { traceparent },
      ),
    );
    const worker = await startWorker({
      address: coordinator.address,
      token: "t",
      workerId: asWorkerId("w"),
      backend: "auto",
      clock: systemClock,
      logger,
      trainerModule: new URL("../session/scripted-trainer.mjs", import.meta.url),
      tracer: workerTracer!,
    });
    const committed = async (): Promise<number> =>
      (await callUnary(operator, OperatorServiceService.getSweep, { sweep: "moons" })).sweep!.counts!.committed;
    await expect.poll(committed, { timeout: 15_000 }).toBe(12);
    worker.drain();
    await worker.done;
    close();
    await coordinator.stop();
    await Promise.all([cli, coordinatorTracer, workerTracer].map((tracer) => tracer!.close()));

    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const chain = (span: OtlpSpan): readonly string[] => {
      const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
      const name = `${spans.find(({ spanId }) => spanId === span.spanId)!.service} ${span.name}`;
      return parent === undefined ? [name] : [...chain(parent), name];
    };
    const ends = spans.filter(({ name }) => name === "Commit");
    expect(ends).toHaveLength(12);
    for (const end of ends) {
      expect(chain(end)).toEqual([
        "occam-cli submit",
        "occam-coordinator SubmitSweep",
        "occam-coordinator grant",
        "occam-worker shard",
        "occam-worker commit",
        "occam-coordinator Commit",
      ]);
    }
  });
});

describe("without the OTEL_ variables", () => {
  it("nothing is traced, but a context that comes in is passed on", async () => {
    expect(await openTracer("cli", {})).toBe(NO_TRACER);
    const context = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    expect(NO_TRACER.span("x", context).traceparent).toBe(context);
  });

  it("are off when they say so, and another exporter is refused", async () => {
    expect(isTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://x", OTEL_SDK_DISABLED: "true" })).toBe(false);
    expect(isTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://x", OTEL_TRACES_EXPORTER: "none" })).toBe(false);
    await expect(openTracer("cli", { OTEL_TRACES_EXPORTER: "zipkin" })).rejects.toMatchObject({ code: "bad-config" });
  });

  it("what is no traceparent is none", () => {
    for (const text of [
      undefined,
      "",
      "x",
      "00-0-0-0",
      `00-${"g".repeat(32)}-${"b".repeat(16)}-01`,
      "a".repeat(9_999),
    ]) {
      expect(asTraceparent(text)).toBe("");
    }
  });
});
