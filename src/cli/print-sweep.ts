/** One sweep, as the commands that change one answer. */
import type { Sweep } from "../../proto/gen/occam/v1/operator.ts";
import type { Io } from "./io.ts";

export async function printSweep(sweep: Sweep, json: boolean, io: Io): Promise<void> {
  const { sweepJson, sweepLine } = await import("./sweep-text.ts");
  await io.out.write(json ? `${JSON.stringify(sweepJson(sweep))}\n` : `${sweepLine(sweep)}\n`);
}
