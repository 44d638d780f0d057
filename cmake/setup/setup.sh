#!/usr/bin/env bash
# Installs what a build of Dougong needs on Debian 12: packages, a virtual
# environment with the Python tools, and the ONNX C++ library. Safe to repeat:
# what is there already is left alone. Prints the paths that it made, in the
# form NAME=VALUE, to build/setup.env.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dougong
say() { printf 'setup: %s\n' "$*" >&2; }

# --- Debian packages -------------------------------------------------------
packages=$(sed -e 's/#.*//' "$here/packages.txt" | tr -s ' \n' ' ')
missing=()
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
    missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# --- Python tools ----------------------------------------------------------
digest=$(sha256sum "$here/requirements.txt" | cut -c1-12)
venv=$cache/venv-$digest
if [ ! -f "$venv/complete" ]; then
  say "making the virtual environment $venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  touch "$venv/complete"
fi

# --- ONNX C++ library ------------------------------------------------------
onnx_version=1.22.0
onnx_sha256=ef40c0aaf0b643857ea9306fc7eddce17eaf9fb0407e4801f1fc5758443a38e0
onnx=$cache/onnx-$(printf '%s' "$onnx_version$onnx_sha256" | sha256sum | cut -c1-12)
if [ ! -f "$onnx/complete" ]; then
  say "building the ONNX library $onnx_version (about 2 minutes on 2 cores)"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps \
    --no-binary onnx -d "$work" "onnx==$onnx_version"
  echo "$onnx_sha256  $work/onnx-$onnx_version.tar.gz" | sha256sum --check --quiet
  tar -C "$work" -xzf "$work/onnx-$onnx_version.tar.gz"
  "$venv/bin/cmake" -S "$work/onnx-$onnx_version" -B "$work/build" -G Ninja \
    -DCMAKE_MAKE_PROGRAM="$venv/bin/ninja" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_C_COMPILER=clang-22 \
    -DCMAKE_CXX_STANDARD=17 -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DCMAKE_CXX_VISIBILITY_PRESET=hidden -DCMAKE_VISIBILITY_INLINES_HIDDEN=ON \
    -DONNX_ML=ON -DONNX_BUILD_PYTHON=OFF -DONNX_BUILD_TESTS=OFF \
    -DONNX_USE_PROTOBUF_SHARED_LIBS=ON -DPython3_EXECUTABLE="$venv/bin/python" \
    -DCMAKE_INSTALL_PREFIX="$onnx" >"$work/configure.log" 2>&1 ||
    { tail -30 "$work/configure.log" >&2; exit 1; }
  "$venv/bin/cmake" --build "$work/build" --target install >"$work/build.log" 2>&1 ||
    { tail -30 "$work/build.log" >&2; exit 1; }
  touch "$onnx/complete"
fi

mkdir -p "$root/build"
cat >"$root/build/setup.env" <<EOF
DOUGONG_VENV=$venv
DOUGONG_ONNX=$onnx
EOF
# Presets read the same two paths through these links.
ln -sfn "$venv" "$root/build/venv"
ln -sfn "$onnx" "$root/build/onnx"
say "ready (virtual environment $venv, ONNX $onnx)"
