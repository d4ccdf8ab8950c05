#!/usr/bin/env bash
# Builds tfjs-node's addon, unmodified, against the TensorFlow library inside a TensorFlow wheel, on Linux:
#
#   pip download --no-deps tensorflow-cpu==2.21.0       # or tensorflow==2.21.0, the same library with CUDA
#   deploy/tensorflow/build-addon.sh --wheel tensorflow_cpu-2.21.0-*.whl --into /opt/tfjs
#   export OCCAM_TFJS_NODE=/opt/tfjs/node_modules/@tensorflow/tfjs-node
#
# What the npm package downloads by itself is libtensorflow 2.9.1 (CUDA 11.2), which knows no GPU newer than Ampere.
# Needs Node.js 20 or later with npm, python3, g++ and make; no network but npm's registry, and none of that where the
# package is in the folder already. The headers are those of the wheel itself, for they lay out the library's strings.
# With CUDA, the nvidia-* wheels that tensorflow[and-cuda] names have to be on LD_LIBRARY_PATH when it runs, not here.
# The addon speaks Node-API: built once, it serves every later Node.js. The folder may be moved, by COPY --from say.
set -euo pipefail

PACKAGE=@tensorflow/tfjs-node
VERSION=4.22.0

usage() {
  echo "usage: build-addon.sh --wheel FILE --into FOLDER"
  echo "  --wheel FILE   a wheel of tensorflow or tensorflow-cpu for this machine (any Python version)"
  echo "  --into FOLDER  where node_modules/$PACKAGE is made, or is already"
}
fail() {
  echo "build-addon: $1" >&2
  exit "${2:-1}"
}

wheel= into=
while [ $# -gt 0 ]; do
  case "$1" in
    --wheel | --into) [ $# -ge 2 ] || fail "$1 needs a value" 64 ;;&
    --wheel) wheel=$2 && shift 2 ;;
    --into) into=$2 && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail "unknown argument $1" 64 ;;
  esac
done
[ -n "$wheel" ] && [ -n "$into" ] || { usage >&2 && fail "--wheel and --into are both needed" 64; }

[ "$(uname -s)" = Linux ] || fail "only Linux wheels hold the library in the form that this script knows"
for tool in node npm python3 g++ make; do
  command -v "$tool" >/dev/null || fail "$tool is not installed (on Debian: apt-get install python3 g++ make, and Node.js)"
done
machine=$(uname -m)
[ -f "$wheel" ] || fail "no such wheel: $wheel (pip download --no-deps tensorflow-cpu==2.21.0 gets one)"
wheel=$(realpath "$wheel")
[[ "$(basename "$wheel")" == *"$machine".whl ]] || fail "$(basename "$wheel") is not for this machine: it must end in $machine.whl"
mkdir -p "$into"
into=$(realpath "$into")
package="$into/node_modules/$PACKAGE"
stamp="$package/deps/wheel"

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(basename "$wheel")" ]; then
  echo "$package is built against $(basename "$wheel") already"
  exit 0
fi

if [ ! -f "$package/package.json" ]; then
  [ -f "$into/package.json" ] || echo '{ "private": true }' >"$into/package.json"
  # Its own install script would download the old library.
  npm install --prefix "$into" --ignore-scripts --no-audit --no-fund --loglevel=error "$PACKAGE@$VERSION"
fi
found=$(node -p 'require(process.argv[1]).version' "$package/package.json")
[ "$found" = "$VERSION" ] || fail "$package has version $found; this script knows $VERSION"

echo "unpacking $(basename "$wheel")"
python3 - "$wheel" "$package/deps" <<'PYTHON' || exit 1
import os, shutil, sys, zipfile

wheel, deps = sys.argv[1:]
LIBRARIES = {"libtensorflow_cc.so.2": "libtensorflow.so", "libtensorflow_framework.so.2": "libtensorflow_framework.so"}
try:
    archive = zipfile.ZipFile(wheel)
except zipfile.BadZipFile:
    sys.exit(f"build-addon: {wheel} is no wheel: it cannot be read as a zip file")
names = archive.namelist()
headers = [name for name in names if name.startswith("tensorflow/include/") and not name.endswith("/")]
missing = [name for name in LIBRARIES if f"tensorflow/{name}" not in names]
if missing or "tensorflow/include/tensorflow/c/c_api.h" not in headers:
    what = ", ".join(missing) or "the headers of the C API"
    sys.exit(f"build-addon: {wheel} lacks {what}: a Linux wheel of tensorflow or tensorflow-cpu 2.x is needed")

# What was built before is lost from here on.
shutil.rmtree(deps, ignore_errors=True)

def take(name, to):
    os.makedirs(os.path.dirname(to), exist_ok=True)
    with archive.open(name) as source, open(to, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)

for name in headers:
    take(name, os.path.join(deps, "include", name.removeprefix("tensorflow/include/")))
for name, link in LIBRARIES.items():
    take(f"tensorflow/{name}", os.path.join(deps, "lib", name))
    os.symlink(name, os.path.join(deps, "lib", link))
PYTHON

# Headers that Node.js brought along save a download; where they lie tells npm_config_nodedir.
prefix=$(dirname "$(dirname "$(node -p process.execPath)")")
if [ -z "${npm_config_nodedir:-}" ] && [ -f "$prefix/include/node/node_api.h" ]; then export npm_config_nodedir=$prefix; fi

echo "compiling the addon"
rm -rf "$package/lib" "$package/build"
log="$into/build-addon.log"
(cd "$package" && "$into/node_modules/.bin/node-pre-gyp" install --build-from-source) >"$log" 2>&1 ||
  { tail -n 30 "$log" >&2 && fail "the addon did not compile: all of it is in $log"; }

# The binding alone, without the JavaScript around it: it loads, and says which library it found.
addon=$(echo "$package"/lib/napi-v*/tfjs_binding.node)
version=$(TF_ENABLE_ONEDNN_OPTS=0 TF_CPP_MIN_LOG_LEVEL=1 node -p 'require(process.argv[1]).TF_Version' "$addon") ||
  fail "the addon was built and does not load: ldd $addon says what it misses"
rm -rf "$package/deps/include" "$package/build" "$log"
basename "$wheel" >"$stamp"
echo "built against TensorFlow $version; use it by"
echo "export OCCAM_TFJS_NODE=$package"
