/** `occam store`: looks after a store, beside the coordinator that uses it. */
import { EXIT } from "../../core/errors.ts";
import { defineCommand, type CommandGroup } from "../command.ts";
import type { Io } from "../io.ts";
import { jsonOption } from "../options.ts";
import { placeOf } from "../store-place.ts";
import { pathIn } from "../token.ts";

const storeOption = {
  store: {
    type: "string",
    requiresArg: true,
    default: "./occam-store",
    describe: "Its folder (of an `occam run`: OUT/store), or postgres://USER@HOST/DATABASE",
  },
} as const;

const destOf = (describe: string) => ({ dest: { type: "string", demandOption: true, describe } }) as const;

async function toolsOf(store: string, io: Io) {
  // oxlint-disable-next-line no-restricted-imports -- only the coordinator's side knows a store
  const { storeTools } = await import("../../../coordinator/store/tools/main.ts");
  const { createLogger } = await import("../../core/log.ts");
  return storeTools(placeOf(store, io).store, createLogger({ component: "store", level: "warn" }));
}

const checkCommand = defineCommand({
  group: "store",
  usage: "check",
  summary: "Look for damage: in the database's pages, in every row's checksum, in what rows say together",
  positionals: {},
  options: { ...storeOption, ...jsonOption },
  examples: [["store check --store ./occam-out/quickstart/store", "Whether a store is whole; also while it is used"]],
  run: async ({ store, json }, io) => {
    const report = await (await toolsOf(store, io)).check();
    const damaged = report.problems.length > 0;
    if (json) await io.out.write(`${JSON.stringify(report)}\n`);
    else if (damaged) await io.out.write(damagedText(report));
    else {
      const older = report.unsealed === 0 ? "" : `, ${report.unsealed} of them from before rows had checksums`;
      await io.out.write(`${report.store}: whole, ${report.rows} rows${older}\n`);
    }
    return damaged ? EXIT.config : EXIT.ok;
  },
});

interface Damage {
  readonly store: string;
  readonly problems: readonly { readonly where: string; readonly what: string }[];
  readonly cut: boolean;
}

function damagedText({ store, problems, cut }: Damage): string {
  return [
    `${store}: damaged`,
    ...problems.map(({ where, what }) => `  ${where}: ${what}`),
    ...(cut ? ["  and more"] : []),
    "What to do: stop the coordinator, keep this store aside, and put the last backup in its place (`occam store backup` makes",
    "them). Without one, submit the sweeps again to a new store: a cell's numbers do not depend on where it is computed.",
    "Check the disk and the memory of this machine: they do not do this when they are well.",
    "",
  ].join("\n");
}

const backupCommand = defineCommand({
  group: "store",
  usage: "backup <dest>",
  summary: "Copy a store in a folder to DEST, which is then a store itself; also while a coordinator uses it",
  positionals: destOf("Folder for the copy; it must hold no store yet"),
  options: { ...storeOption },
  examples: [
    ["store backup /backup/occam-monday --store ./store", "A copy of one moment"],
    ["coordinator --store /backup/occam-monday", "Go on from it"],
  ],
  run: async ({ dest, store }, io) => {
    const { file, sizeBytes } = (await toolsOf(store, io)).backup(pathIn(io.cwd, dest));
    await io.out.write(`${file}: ${(sizeBytes / 2 ** 20).toFixed(1)} MiB\n`);
    return EXIT.ok;
  },
});

const exportCommand = defineCommand({
  group: "store",
  usage: "export <dest>",
  summary: "Write every row of a store to DEST as JSON Lines, for `migrate --from` and for other programs",
  positionals: destOf("Folder for the files; it must hold no export yet"),
  options: { ...storeOption },
  examples: [["store export ./exported --store ./store", "One file a table, and export.json with their checksums"]],
  run: async ({ dest, store }, io) => {
    const { rows } = await (await toolsOf(store, io)).export(pathIn(io.cwd, dest));
    await io.out.write(`${dest}: ${rows} rows\n`);
    return EXIT.ok;
  },
});

const migrateCommand = defineCommand({
  group: "store",
  usage: "migrate",
  summary: "Bring a store to this version's schema, as a coordinator does when it starts; or fill it from an export",
  positionals: {},
  options: {
    ...storeOption,
    from: { type: "string", requiresArg: true, describe: "Folder of an export, for a store that is empty" },
  },
  examples: [
    ["store migrate --store ./store", "Bring an older store up to date"],
    ["store migrate --store postgres://occam@db/occam --from ./exported", "Move to PostgreSQL"],
  ],
  run: async ({ store, from }, io) => {
    const tools = await toolsOf(store, io);
    const report = await tools.migrate(from === undefined ? undefined : pathIn(io.cwd, from));
    const filled = report.rows === undefined ? "" : `, ${report.rows} rows from ${from}`;
    await io.out.write(`${report.store}: schema version ${report.schemaVersion}${filled}\n`);
    return EXIT.ok;
  },
});

export const storeCommands: CommandGroup = {
  name: "store",
  summary: "Check, back up, export or move a store",
  commands: [checkCommand, backupCommand, exportCommand, migrateCommand],
};
