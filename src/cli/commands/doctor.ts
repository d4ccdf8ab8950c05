/** `occam doctor` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { jsonOption } from "../options.ts";

export const doctorCommand = defineCommand({
  usage: "doctor",
  summary: "Check this machine: Node.js, backends, a store's folder, the loopback network",
  positionals: {},
  options: {
    ...jsonOption,
    store: { type: "string", requiresArg: true, default: ".", describe: "Folder whose file system is checked" },
  },
  examples: [["doctor", "What works here, and what to do about the rest"]],
  run: async (args, io) => {
    const { examine } = await import("../doctor.ts");
    const checks = await examine(args.store, io);
    if (args.json) {
      await io.out.write(`${JSON.stringify({ checks })}\n`);
    } else {
      for (const { name, state, detail, hint } of checks) {
        const colour = state === "ok" ? "green" : state === "warning" ? "yellow" : "red";
        await io.out.write(`${io.out.paint(colour, state.padEnd(7))}  ${name}: ${detail}\n`);
        if (hint !== "") await io.out.write(`         ${hint}\n`);
      }
    }
    return checks.some(({ state }) => state === "failed") ? EXIT.config : EXIT.ok;
  },
});
