#!/bin/sh
# Builds dispatcher/web/console/static/vendor anew from package.json: only for whoever changes a version. Needs Node; the
# project itself does not, because what comes out is committed, with a list of checksums that a test compares.
set -eu
cd "$(dirname "$0")"
out=../../dispatcher/web/console/static/vendor
npm ci --no-audit --no-fund --ignore-scripts
rm -rf "$out"
mkdir -p "$out"
node_modules/.bin/esbuild ol.js --bundle --minify --format=esm --target=chrome100 --legal-comments=none --outfile="$out/ol.js"
cp node_modules/htmx.org/dist/htmx.min.js "$out/htmx.js"
sed -i '/^\/\/# sourceMappingURL/d' "$out/htmx.js"
{
  for name in ol htmx.org rbush quickselect earcut; do
    if [ -d "node_modules/$name" ]; then
      printf '%s %s\n\n' "$name" "$(node -p "require('./node_modules/$name/package.json').version")"
      cat node_modules/$name/LICENSE*
      printf '\n\n'
    fi
  done
} > "$out/LICENSES.txt"
cd "$out"
sha256sum ./*.js LICENSES.txt > SHA256SUMS
