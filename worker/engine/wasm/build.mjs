// Compiles the kernels (AssemblyScript) into dist, once for machines with relaxed SIMD and once for those without.
// They import the memory of TensorFlow.js's wasm backend, so they may own no static data and no heap of their own:
// the runtime is a stub, and a module with a data segment is refused.
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../..", import.meta.url));
const out = join(root, "dist", "worker", "engine", "wasm");
mkdirSync(out, { recursive: true });

const FLAGS = [
  "-O3",
  "--noAssert",
  "--converge",
  "--runtime",
  "stub",
  "--importMemory",
  "--noExportMemory",
  "--enable",
  "simd",
];

async function build(name, extra) {
  const outFile = join(out, `${name}.wasm`);
  // Put in place when it is whole: tests may read the last build meanwhile.
  const made = join(out, `${name}.${process.pid}.wasm`);
  let messages = "";
  const stderr = { write: (text) => (messages += text) };
  const { error } = await main([join(here, "assembly", "index.ts"), "--outFile", made, ...FLAGS, ...extra], { stderr });
  if (error) throw new Error(`${name}: ${error.message}\n${messages}`);
  refuseStaticData(name, readFileSync(made));
  renameSync(made, outFile);
}

/** A data segment would overwrite the backend's own memory. */
function refuseStaticData(name, bytes) {
  const DATA_SECTION = 11;
  let at = 8;
  while (at < bytes.length) {
    const id = bytes[at];
    let size = 0;
    let shift = 0;
    at += 1;
    for (;;) {
      const byte = bytes[at];
      at += 1;
      size |= (byte & 127) << shift;
      shift += 7;
      if (byte < 128) break;
    }
    if (id === DATA_SECTION) throw new Error(`${name}: the kernels have static data; use constants instead`);
    at += size;
  }
}

await build("kernels", []);
await build("kernels-relaxed", ["--enable", "relaxed-simd"]);
