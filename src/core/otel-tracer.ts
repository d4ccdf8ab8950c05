/** Tracing by OpenTelemetry: OTLP over HTTP, set by OTEL_ variables. Loaded only when they ask for it. */
import { ROOT_CONTEXT, SpanStatusCode, trace, TraceFlags, type Context } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { messageOf } from "./errors.ts";
import { asTraceparent, type Span, type Tracer } from "./trace.ts";
import { PACKAGE_VERSION } from "./version.ts";

export function otelTracer(component: string, env: Readonly<Record<string, string | undefined>>): Tracer {
  const named = {
    "service.name": env["OTEL_SERVICE_NAME"] ?? `occam-${component}`,
    "service.version": PACKAGE_VERSION,
  };
  const resource = defaultResource()
    .merge(resourceFromAttributes(named))
    .merge(detectResources({ detectors: [envDetector] }));
  const provider = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const tracer = provider.getTracer("occam", PACKAGE_VERSION);
  return {
    span: (name, parent = "", attributes = {}): Span => {
      const span = tracer.startSpan(name, { attributes }, contextOf(parent));
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
        set: (more) => void span.setAttributes(more),
        end: (error) => {
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
          span.end();
        },
      };
    },
    // An exporter that cannot reach its collector must not keep a process from ending well.
    close: () => provider.shutdown().catch(() => undefined),
  };
}

function contextOf(traceparent: string): Context {
  const [, traceId, spanId, flags] = asTraceparent(traceparent).split("-");
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags ?? "0", 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
