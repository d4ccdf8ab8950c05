/**
 * The coordinator's metrics for Prometheus. Counters and histograms are fed through the Meter as things happen; what can be
 * read from memory is read when it is asked for, and costs nothing in between.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { PACKAGE_VERSION } from "../../src/core/version.ts";
import { workerState } from "../../src/wire/enums.ts";
import { listWorkers } from "../api/worker-message.ts";
import type { Hot } from "../hot/hot.ts";
import type { Meter } from "../meter.ts";
import { METRICS, type MetricName } from "./metric-table.ts";

/** What is read at each scrape. */
export interface Readings {
  /** Undefined while it stands by. */
  readonly hot: Hot | undefined;
  isReady(): boolean;
}

export class Metrics implements Meter {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #histograms = new Map<MetricName, Histogram>();
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });
  #readings: Readings | undefined;

  constructor() {
    const registers = [this.#registry];
    for (const [name, entry] of Object.entries(METRICS) as [MetricName, (typeof METRICS)[MetricName]][]) {
      const { kind, help } = entry;
      const labelNames = "labels" in entry ? [...entry.labels] : [];
      if (kind === "counter") this.#counters.set(name, new Counter({ name, help, labelNames, registers }));
      else if (kind === "gauge") this.#gauges.set(name, new Gauge({ name, help, labelNames, registers }));
      else
        this.#histograms.set(name, new Histogram({ name, help, labelNames, registers, buckets: [...entry.buckets] }));
    }
    this.#delay.enable();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** From now on there is something to read. */
  read(readings: Readings): void {
    this.#readings = readings;
  }

  stop(): void {
    this.#delay.disable();
  }

  async text(): Promise<string> {
    if (this.#readings !== undefined) this.#collect(this.#readings);
    return this.#registry.metrics();
  }

  synced(tookMs: number | undefined): void {
    this.#count("occam_syncs_total", 1);
    if (tookMs !== undefined) this.#observe("occam_sync_seconds", tookMs);
  }

  committed(...[outcome, tookMs]: Parameters<Meter["committed"]>): void {
    this.#count("occam_commits_total", 1, { outcome });
    this.#observe("occam_commit_seconds", tookMs);
  }

  leaseGranted(cells: number): void {
    this.#count("occam_leases_granted_total", 1);
    this.#count("occam_cells_leased_total", cells);
  }

  leaseEnded(...[end]: Parameters<Meter["leaseEnded"]>): void {
    this.#count("occam_leases_ended_total", 1, { end });
  }

  appended(...[kind, records, sizeBytes]: Parameters<Meter["appended"]>): void {
    this.#count("occam_stream_records_total", records, { kind });
    this.#count("occam_stream_bytes_total", sizeBytes, { kind });
  }

  stored(changes: number, tookMs: number): void {
    this.#count("occam_store_changes_total", changes);
    this.#observe("occam_store_write_seconds", tookMs);
  }

  shed(...[what]: Parameters<Meter["shed"]>): void {
    this.#count("occam_shed_total", 1, { what });
  }

  refused(...[code]: Parameters<Meter["refused"]>): void {
    this.#count("occam_calls_refused_total", 1, { code });
  }

  #collect(readings: Readings): void {
    this.#set("occam_ready", Number(readings.isReady()));
    this.#set("occam_leading", Number(readings.hot !== undefined));
    this.#set("occam_resident_bytes", process.memoryUsage.rss());
    this.#set("occam_event_loop_delay_seconds", this.#delay.percentile(99) / 1e9);
    this.#delay.reset();
    if (readings.hot !== undefined) this.#collectHot(readings.hot);
  }

  #collectHot(hot: Hot): void {
    this.#set("occam_info", 1, { version: PACKAGE_VERSION, epoch: String(hot.epoch) });
    this.#set("occam_open_cells", hot.cells.size);
    this.#setAll(
      "occam_sweeps",
      "state",
      countBy(hot.sweeps.all(), (sweep) => sweep.state, SWEEP_STATES),
    );
    this.#setAll(
      "occam_leases",
      "state",
      countBy(hot.leases.all(), (lease) => lease.state.kind, LEASE_STATES),
    );
    const states = listWorkers(hot).map(({ state }) => workerState.fromWire(state));
    this.#setAll(
      "occam_sessions",
      "state",
      countBy(states, (state) => state, WORKER_STATES),
    );
    this.#setAll("occam_cells", "state", cellsByState(hot));
  }

  #count(name: MetricName, by: number, labels: Readonly<Record<string, string>> = {}): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  #observe(name: MetricName, tookMs: number): void {
    this.#histograms.get(name)?.observe(tookMs / 1_000);
  }

  #set(name: MetricName, value: number, labels: Readonly<Record<string, string>> = {}): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  #setAll(name: MetricName, label: string, counts: ReadonlyMap<string, number>): void {
    for (const [value, count] of counts) this.#set(name, count, { [label]: value });
  }
}

const SWEEP_STATES = ["running", "finished", "cancelled"];
const LEASE_STATES = ["granted", "adoptable", "held", "ended"];
const WORKER_STATES = ["idle", "busy", "draining", "lost"];
const CELL_STATES = ["pending", "leased", "running", "committed", "quarantined", "cancelled"] as const;

/** Zero where there is none, so that a series does not end when its last one goes. */
function countBy<T>(items: Iterable<T>, keyOf: (item: T) => string, keys: readonly string[]): Map<string, number> {
  const counts = new Map(keys.map((key): [string, number] => [key, 0]));
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

function cellsByState(hot: Hot): ReadonlyMap<string, number> {
  const counts = new Map<string, number>(CELL_STATES.map((state) => [state, 0]));
  for (const sweep of hot.sweeps.all()) {
    for (const state of CELL_STATES) counts.set(state, counts.get(state)! + sweep.counts[state]);
  }
  return counts;
}
