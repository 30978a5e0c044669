#!/bin/sh
# The command `oneiric` of this machine: it has the settings of oneiric.service, unless others are named.
: "${ONEIRIC_CONFIG:=/etc/oneiric/oneiric.yaml}"
export ONEIRIC_CONFIG
exec /opt/oneiric/current/bin/oneiric "$@"
