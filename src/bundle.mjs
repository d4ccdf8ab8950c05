// Bundles what the command line loads, because a process that loads a thousand small modules starts two to three times as slowly
// as one that loads twenty large ones. tsc has put every module into dist/ before; what stays of those is for who imports the
// package, and for tests. The entries below are overwritten by bundled ones, with what they share in dist/chunks/.
//
// - In a bundle a module still knows its place: `import.meta.url` is that of the module that tsc wrote.
// - Packages that are not in BUNDLED stay in node_modules and are loaded from there: native ones, optional ones, and those that
//   few commands use.
import { readFileSync, rmSync } from "node:fs";
import { posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** Processes that are started again and again. Their modules run nowhere but in them. */
const ENTRIES = ["src/cli/main", "worker/trainer/main"];

/** With their own dependencies, but for those in LATE. */
const BUNDLED = [
  "@bufbuild/protobuf",
  "@grpc/grpc-js",
  "@grpc/reflection",
  "@marcbachmann/cel-js",
  "kysely",
  "pino",
  "yaml",
  "yargs",
  "zod",
];

/** Required by bundled packages in functions that hardly ever run: in a bundle they would be read at every start. */
const LATE = ["@grpc/proto-loader", "protobufjs"];

const { dependencies, optionalDependencies } = JSON.parse(read("package.json"));
const external = [...Object.keys({ ...dependencies, ...optionalDependencies }), ...LATE].filter(
  (name) => !BUNDLED.includes(name),
);

/** A chunk lies in dist/chunks/, whatever it holds: the places of modules are written into it relative to that. */
const places = {
  name: "places",
  transform(code, id) {
    const path = relative(root, id).split(sep).join(posix.sep);
    const [, name, rest] = /^node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(path) ?? [];
    const [word, place] =
      name === undefined
        ? ["import.meta.url", `new URL("../${path.replace(/\.ts$/, ".js")}", import.meta.url).href`]
        : [
            "__dirname",
            `require("node:path").join(require.resolve("${name}/package.json"), "../${posix.dirname(rest)}")`,
          ];
    const isKnown = name === undefined ? /^(src|coordinator|worker)\//.test(path) : path.endsWith(".js");
    if (!isKnown || !code.includes(word)) return undefined;
    // Lines stay where they are, and so does what the source map says of them.
    return { code: code.replaceAll(word, place), map: null };
  },
};

rmSync(new URL("../dist/chunks", import.meta.url), { recursive: true, force: true });
const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(ENTRIES.map((entry) => [entry, `./${entry}.ts`])),
  platform: "node",
  tsconfig: "./tsconfig.json",
  external: (id) => external.some((name) => id === name || id.startsWith(`${name}/`)),
  plugins: [places],
});
await bundle.write({
  dir: `${root}/dist`,
  entryFileNames: "[name].js",
  chunkFileNames: "chunks/[name].js",
  sourcemap: true,
  sourcemapExcludeSources: true,
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();
