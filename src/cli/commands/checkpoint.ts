/** `occam checkpoint`: looks at what cells would go on from. */
import { EXIT } from "../../core/errors.ts";
import { checkpointPlace } from "../checkpoint-place.ts";
import { defineCommand, type CommandGroup } from "../command.ts";
import { widthOf, type Io } from "../io.ts";
import { jsonOption } from "../options.ts";

const placeOption = {
  checkpoints: {
    type: "string",
    requiresArg: true,
    default: "./occam-store/checkpoints",
    describe: "Folder (of an `occam run`: OUT/store/checkpoints), or s3://BUCKET/PREFIX",
  },
} as const;

async function seenAt(place: string, prefix: string, io: Io) {
  // oxlint-disable-next-line no-restricted-imports -- only the worker's side knows checkpoints
  const { lookAt } = await import("../../../worker/checkpoint/look.ts");
  return lookAt(checkpointPlace(place, io), prefix, io.env, io.clock);
}

type Seen = Awaited<ReturnType<typeof seenAt>>[number];

async function rowOf({ cellId, summary, problem, sizeBytes, modifiedMs }: Seen, io: Io): Promise<readonly string[]> {
  const { formatDuration } = await import("../output/format.ts");
  const { shortId } = await import("../../core/ids.ts");
  const age = formatDuration(Math.max(0, io.clock.nowMs() - modifiedMs));
  const kilobytes = `${(sizeBytes / 1e3).toFixed(1)} kB`;
  if (summary === undefined) return [shortId(cellId), `unusable: ${problem}`, "", "", age, kilobytes];
  return [shortId(cellId), summary.phase, summary.step, String(summary.attempt), age, kilobytes];
}

const listCommand = defineCommand({
  group: "checkpoint",
  usage: "list",
  summary: "Show the cells that have a checkpoint, and how far each is",
  positionals: {},
  options: { ...placeOption, ...jsonOption },
  examples: [
    ["checkpoint list --checkpoints ./occam-out/quickstart/store/checkpoints", "What an `occam run` would go on from"],
  ],
  run: async ({ checkpoints, json }, io) => {
    const seen = await seenAt(checkpoints, "", io);
    if (json) {
      const lines = seen.map((each) => `${JSON.stringify({ ...each, tensors: undefined })}\n`);
      await io.out.write(lines.join(""));
      return EXIT.ok;
    }
    const { renderTable } = await import("../output/table.ts");
    const titles = ["cell", "phase", "step", "attempt", "age", "size"].map((title) => ({ title }));
    const rows = await Promise.all(seen.map((each) => rowOf(each, io)));
    await io.out.write(
      rows.length === 0 ? "no checkpoints\n" : `${renderTable(titles, rows, widthOf(io.out)).join("\n")}\n`,
    );
    return EXIT.ok;
  },
});

const showCommand = defineCommand({
  group: "checkpoint",
  usage: "show <cell>",
  summary: "Show one cell's checkpoint: how far it is, and its tensors with their shapes",
  positionals: { cell: { type: "string", demandOption: true, describe: "Cell id, or a prefix of one" } },
  options: { ...placeOption, ...jsonOption },
  examples: [
    ["checkpoint show 2a31560f --checkpoints s3://bucket/occam", "One cell's; Python reads the file with safetensors"],
  ],
  run: async ({ checkpoints, cell, json }, io) => {
    const seen = await seenAt(checkpoints, cell, io);
    if (json) {
      await io.out.write(seen.map((each) => `${JSON.stringify(each)}\n`).join(""));
      return EXIT.ok;
    }
    for (const { cellId, summary, problem, sizeBytes, modifiedMs, tensors } of seen) {
      const { formatInstant } = await import("../output/format.ts");
      const facts =
        summary === undefined
          ? [`unusable: ${problem}`]
          : [
              `phase    ${summary.phase}`,
              `step     ${summary.step}`,
              `attempt  ${summary.attempt}`,
              `backend  ${summary.backend}, numerics ${summary.numericsVersion}, package ${summary.packageVersion}`,
            ];
      const lines = [
        `cell     ${cellId}`,
        ...facts,
        `written  ${formatInstant(modifiedMs)}`,
        `size     ${sizeBytes} bytes`,
      ];
      await io.out.write(
        `${[...lines, ...tensors.map(({ name, shape }) => `  ${name} [${shape.join(", ")}]`)].join("\n")}\n`,
      );
    }
    return EXIT.ok;
  },
});

export const checkpointCommands: CommandGroup = {
  name: "checkpoint",
  summary: "Look at the checkpoints that cells go on from",
  commands: [listCommand, showCommand],
};
