#!/bin/sh
# The interpreter of a booted machine, which has no network: environments that it makes see the dependencies.
if [ "$1 $2" != "-m venv" ]; then
    exec /opt/python/bin/python3 "$@"
fi
/opt/python/bin/python3 "$@" || exit
echo /opt/deps >"$(echo "$3"/lib/python3.*/site-packages)/dependencies.pth"
