/** Why a cell is as it is, as JSON for scripts and as text for people. */
import type { ExplainCellResponse } from "../../proto/gen/occam/v1/operator.ts";
import { logJson, logLine } from "./log-text.ts";
import { printable } from "./output/format.ts";
import type { Paint } from "./output/paint.ts";
import { cellStateName } from "./wire-names.ts";

export function explanationJson({ logTail, state, ...rest }: ExplainCellResponse) {
  return { ...rest, state: cellStateName(state), logTail: logTail.map(logJson) };
}

export function explanationText(explained: ExplainCellResponse, paint: Paint): string {
  const { cellId, sweepId, state, attempts, lost, preempted, failed, oom, because, remedies, logTail } = explained;
  const counts = [
    `${attempts} attempts`,
    `${failed} failed`,
    `${lost} lost`,
    `${oom} out of memory`,
    `${preempted} handed back`,
  ];
  return [
    `${cellId}  ${cellStateName(state)}, of ${sweepId}`,
    counts.join(", "),
    ...because.map((text) => `- ${printable(text)}`),
    ...remedies.map((text) => paint("cyan", `  try: ${printable(text)}`)),
    ...(logTail.length === 0 ? [] : ["", "last log lines:", ...logTail.map((line) => logLine(line, paint))]),
  ].join("\n");
}
