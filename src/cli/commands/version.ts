/** `occam version` */
import { EXIT } from "../../core/errors.ts";
import { NUMERICS_VERSION, PACKAGE_VERSION, PROTOCOL_VERSION } from "../../core/version.ts";
import { defineCommand } from "../command.ts";
import { jsonOption } from "../options.ts";

export const versionCommand = defineCommand({
  usage: "version",
  summary: "Print the versions of Occam, its numerics and its protocol, and of Node.js",
  positionals: {},
  options: { ...jsonOption },
  examples: [["version --json", "The same for a script"]],
  run: async (args, io) => {
    const versions = {
      occam: PACKAGE_VERSION,
      numerics: NUMERICS_VERSION,
      protocol: PROTOCOL_VERSION,
      node: process.versions.node,
    };
    await io.out.write(
      args.json
        ? `${JSON.stringify(versions)}\n`
        : Object.entries(versions)
            .map(([name, version]) => `${name.padEnd(8)}  ${version}\n`)
            .join(""),
    );
    return EXIT.ok;
  },
});
