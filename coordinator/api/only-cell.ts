/** A cell that is meant by its id or by a prefix of it. */
import { OccamError } from "../../src/core/errors.ts";
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";

/** The whole id. @throws "not-found" when no cell of the sweep, or more than one, begins so */
export async function onlyCell(hot: Hot, sweep: Sweep, text: string): Promise<string> {
  const idPrefix = text.toLowerCase();
  const hint = "list the cells of the sweep with `occam results`";
  if (!/^[0-9a-f]{1,64}$/u.test(idPrefix)) {
    throw new OccamError("not-found", `"${text}" is no cell id: it has up to 64 hexadecimal digits`, { hint });
  }
  const found = await hot.store.listCells({ sweepSeq: sweep.seq, states: [], idPrefix }, -1, 2);
  const [only, second] = found;
  if (only === undefined) {
    throw new OccamError("not-found", `no cell of ${sweep.record.id} begins with ${text}`, { hint });
  }
  if (second !== undefined) {
    throw new OccamError("not-found", `more than one cell of ${sweep.record.id} begins with ${text}`, {
      hint: `give more of the id, as of ${only.id.slice(0, 16)} or ${second.id.slice(0, 16)}`,
    });
  }
  return only.id;
}
