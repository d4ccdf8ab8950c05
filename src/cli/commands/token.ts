/** `occam token` */
import { EXIT, OccamError } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { jsonOption } from "../options.ts";

/** As in src/rpc/roles.ts, which loads gRPC. */
const ROLES = ["viewer", "operator", "worker"] as const;

export const tokenCommand = defineCommand({
  usage: "token",
  summary: "Make a token with roles: the token, and the entry of it for a coordinator's --access-file",
  positionals: {},
  options: {
    name: {
      type: "string",
      demandOption: true,
      requiresArg: true,
      describe: "Whose it is; the audit log has this name",
    },
    role: {
      type: "array",
      string: true,
      choices: ROLES,
      demandOption: true,
      describe: "viewer reads; operator also submits and cancels; worker takes cells",
    },
    "worker-ids": {
      type: "string",
      requiresArg: true,
      describe: "As a worker, only under ids that begin so [any]",
    },
    ...jsonOption,
  },
  examples: [
    ["token --name ada --role operator", "For a person"],
    ["token --name farm --role worker --worker-ids gpu-", "For workers gpu-1, gpu-2, ..."],
  ],
  run: async (args, io) => {
    const { generateToken } = await import("../token.ts");
    const { createHash } = await import("node:crypto");
    const { parseAccess } = await import("../../rpc/access-file.ts");
    const token = generateToken();
    const entry = {
      name: args.name,
      roles: [...new Set(args.role)],
      ...(args["worker-ids"] === undefined ? {} : { workerIds: args["worker-ids"] }),
      sha256: createHash("sha256").update(token).digest("hex"),
    };
    try {
      parseAccess(JSON.stringify({ tokens: [entry] }), "");
    } catch (error) {
      throw error instanceof OccamError ? new OccamError("bad-usage", error.message) : error;
    }
    const fields = Object.entries(entry).map(([name, value]) => `${name}: ${textOf(value)}`);
    await io.out.write(
      args.json
        ? `${JSON.stringify({ token, entry })}\n`
        : `token, shown once:              ${token}\nunder "tokens:" of the file:    - { ${fields.join(", ")} }\n`,
    );
    return EXIT.ok;
  },
});

function textOf(value: string | readonly string[]): string {
  return typeof value === "string" ? JSON.stringify(value) : `[${value.join(", ")}]`;
}
