#!/bin/sh
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Labels a root file system for SELinux and makes a disk of it: label_disk.sh ROOT DISK SIZE
# To be run in a mount namespace of its own, as root. The kernel that runs this needs no SELinux: to it the labels are attributes like others.
set -eu
root=$1
disk=$2
size=$3

# setfiles sets a label by way of /proc/self/fd.
mount --bind /proc "$root/proc"
chroot "$root" /sbin/setfiles -F /etc/selinux/default/contexts/files/file_contexts /
umount "$root/proc"
mke2fs -q -t ext4 -d "$root" "$disk" "$size"
