/** Every metric of the coordinator: name, kind, help, labels. Dashboards and alerts name them from here. */

interface MetricEntry {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds, in seconds. */
  readonly buckets?: readonly number[];
}

/** From half a millisecond, below which a sync of the disk is not, to the deadline of a call. */
const LATENCY = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10] as const;

export const METRICS = {
  occam_info: {
    kind: "gauge",
    help: "1; what runs: package version, epoch of the coordinator on its store",
    labels: ["version", "epoch"],
  },
  occam_ready: {
    kind: "gauge",
    help: "1 while the coordinator takes calls, 0 while it drains or its store has failed",
  },
  occam_leading: { kind: "gauge", help: "1 while it leads, 0 while it stands by for another" },
  occam_sweeps: { kind: "gauge", help: "Sweeps by state", labels: ["state"] },
  occam_cells: {
    kind: "gauge",
    help: "Cells by state, summed over sweeps; a cell of two sweeps counts in both",
    labels: ["state"],
  },
  occam_open_cells: { kind: "gauge", help: "Cells in memory: not ended, each once" },
  occam_leases: { kind: "gauge", help: "Leases that live, by state", labels: ["state"] },
  occam_sessions: { kind: "gauge", help: "Workers heard of lately, by state", labels: ["state"] },
  occam_leases_granted_total: { kind: "counter", help: "Leases granted" },
  occam_cells_leased_total: { kind: "counter", help: "Cells leased, again after a failure included" },
  occam_leases_ended_total: {
    kind: "counter",
    help: "Leases ended; lost, unaccepted and unclaimed are expiries",
    labels: ["end"],
  },
  occam_commits_total: { kind: "counter", help: "Commits answered, by outcome", labels: ["outcome"] },
  occam_commit_seconds: { kind: "histogram", help: "From a commit's arrival to its durable answer", buckets: LATENCY },
  occam_syncs_total: { kind: "counter", help: "Syncs of workers answered, held-back ones included" },
  occam_sync_seconds: {
    kind: "histogram",
    help: "From a sync's arrival to its answer, of those that are not held back for want of work",
    buckets: LATENCY,
  },
  occam_store_write_seconds: { kind: "histogram", help: "One transaction of the store", buckets: LATENCY },
  occam_store_changes_total: { kind: "counter", help: "Changes written to the store" },
  occam_stream_bytes_total: { kind: "counter", help: "Bytes of metrics and logs taken from workers", labels: ["kind"] },
  occam_stream_records_total: { kind: "counter", help: "Points and lines taken from workers", labels: ["kind"] },
  occam_shed_total: {
    kind: "counter",
    help: "Work refused under load, by what it was; sync: the next one was put off",
    labels: ["what"],
  },
  occam_calls_refused_total: {
    kind: "counter",
    help: "Calls refused at the door, by why",
    labels: ["code"],
  },
  occam_resident_bytes: { kind: "gauge", help: "Resident memory of the process" },
  occam_event_loop_delay_seconds: {
    kind: "gauge",
    help: "How late the event loop was since the last look: its 99th percentile",
  },
} as const satisfies Readonly<Record<string, MetricEntry>>;

export type MetricName = keyof typeof METRICS;
