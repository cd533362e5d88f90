#!/bin/sh
# What the Finder of macOS opens by a double click.
cd "$(dirname "$0")" || exit 1
exec ./start.sh "$@"
