#!/usr/bin/env bash
# Look up the pinned packages in the database of known vulnerabilities. Exit code 1 when one is listed
# there; exit code 0 and a sentence when the database cannot be reached.
set -euo pipefail
cd "$(dirname "$0")/.."

# The tool has an environment of its own, so that its packages are not mixed with the project's.
tool=.venv/audit
if ! [ -x "$tool/bin/pip-audit" ]; then
  python3 -m venv "$tool"
  "$tool/bin/python" -m pip install --quiet --disable-pip-version-check pip-audit
fi

status=0
"$tool/bin/pip-audit" --requirement constraints.txt --no-deps --disable-pip --timeout 10 \
  >"$tool/report" 2>"$tool/errors" || status=$?
pinned=$(grep -c == constraints.txt)
skipped=$(grep -c 'could not be audited' "$tool/report" || true)
if [ "$skipped" = "$pinned" ] || { [ "$status" != 0 ] && ! [ -s "$tool/report" ]; }; then
  echo "No package was audited: the database of vulnerabilities cannot be reached from here."
  exit 0
fi
grep -v 'could not be audited' "$tool/report" || true
echo "$((pinned - skipped)) of $pinned pinned packages were audited."
exit "$status"
