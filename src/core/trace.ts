/**
 * Tracing, as the rest sees it: spans with a W3C traceparent as their context, which travels in gRPC metadata and with a lease.
 * It is off unless the OTEL_ variables of OpenTelemetry ask for it, and costs nothing then: the packages are not loaded, and a
 * context that comes in is passed on as it is.
 */
import { messageOf, OccamError } from "./errors.ts";

export type SpanAttributes = Readonly<Record<string, string | number>>;

export interface Span {
  /** For children and for the wire; "" when there is nothing to tell. */
  readonly traceparent: string;
  set(attributes: SpanAttributes): void;
  /** @param error what it failed by */
  end(error?: unknown): void;
}

export interface Tracer {
  /** @param parent a traceparent; "" or undefined: the span begins a trace */
  span(name: string, parent?: string, attributes?: SpanAttributes): Span;
  /** Sends what is left. */
  close(): Promise<void>;
}

const NO_SPAN: Span = { traceparent: "", set: () => undefined, end: () => undefined };

export const NO_TRACER: Tracer = {
  span: (_name, parent = "") => (parent === "" ? NO_SPAN : { ...NO_SPAN, traceparent: parent }),
  close: () => Promise.resolve(),
};

/** Runs inside a span, which ends with it. */
export async function traced<T>(
  tracer: Tracer,
  name: string,
  parent: string,
  run: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.span(name, parent);
  try {
    const value = await run(span);
    span.end();
    return value;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** The metadata key of W3C Trace Context. */
export const TRACEPARENT = "traceparent";

/** What came from outside, when it is a traceparent; else "". */
export function asTraceparent(value: unknown): string {
  const text = typeof value === "string" ? value : "";
  return /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/u.test(text) ? text : "";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Do the variables ask for traces? */
export function isTraced(env: Environment): boolean {
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || env["OTEL_TRACES_EXPORTER"] === "none") return false;
  const names = ["OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  return names.some((name) => (env[name] ?? "") !== "");
}

/**
 * @param component "coordinator", "worker", "cli"; the service is called occam-<component> unless OTEL_SERVICE_NAME says else
 * @throws "bad-config" when traces are asked for and the packages are not installed, or another exporter is
 */
export async function openTracer(component: string, env: Environment): Promise<Tracer> {
  if (!isTraced(env)) return NO_TRACER;
  const exporter = env["OTEL_TRACES_EXPORTER"] ?? "otlp";
  if (exporter !== "otlp") {
    throw new OccamError("bad-config", `OTEL_TRACES_EXPORTER is "${exporter}"; occam has otlp alone`);
  }
  const { otelTracer } = await import("./otel-tracer.ts").catch((cause: unknown) => {
    throw new OccamError(
      "bad-config",
      `traces are asked for, and OpenTelemetry cannot be loaded: ${messageOf(cause)}`,
      {
        hint: "install the optional dependencies (npm install), or unset the OTEL_ variables",
        cause,
      },
    );
  });
  return otelTracer(component, env);
}
