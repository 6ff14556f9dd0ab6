#!/bin/sh
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts a host with an engine of its own. The host has its own namespace of control groups, which it sees read-only at first: its systemd and its
# engine make groups there. /sys likewise, for the bridges of its networks.
set -eu
mount -o remount,bind,rw /sys
awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts | while read -r groups; do
  mount -o remount,bind,rw "$groups"
done
exec /lib/systemd/systemd
