/** Takes from an empty-handed store what migrations after the first have added, so that it is as the first release made it. */
import { SEALED } from "../../coordinator/store/seal.ts";

const ADDED: Readonly<Record<string, readonly string[]>> = {
  sweep: ["paused", "priority", "max_workers", "require_json", "submitter"],
  cell: ["preempted", "tried_on", "memory_above"],
};

/** Statements, for either dialect. @param epoch that it has reached */
export function toFirstSchema(epoch: number): readonly string[] {
  return [
    ...Object.entries(ADDED).flatMap(([table, columns]) =>
      columns.map((column) => `alter table ${table} drop column ${column}`),
    ),
    "drop table broken_worker",
    ...Object.keys(SEALED).map((table) => `alter table ${table} drop column crc`),
    "drop table leader",
    `insert into meta values ('epoch', '${epoch}')`,
    "update meta set value = '1' where name = 'schema_version'",
  ];
}
