#!/bin/sh
# Starts Darkroom; the first time it sets itself up.  PYTHON=/path/to/python3 chooses another.
cd "$(dirname "$0")" || exit 1

for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
  [ -n "$candidate" ] || continue
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$candidate" program/start.py "$@"
  fi
done
echo "Darkroom needs Python 3.11 or newer, and none was found." >&2
echo "Get it from https://www.python.org/downloads, or from your system's packages." >&2
exit 1
