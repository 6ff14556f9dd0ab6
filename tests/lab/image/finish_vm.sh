#!/bin/sh
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finishes the root file system of the lab's virtual machine: finish_vm.sh ROOT AUTHORIZED_KEY WAIT_FOR
set -eu
root=$1
key=$2
wait_for=$3

# Only what a host of the lab needs starts by itself: each unit is paid for in emulated instructions.
for unit in php8.2-fpm.service phpsessionclean.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer systemd-pstore.service getty@.service; do
  chroot "$root" systemctl --quiet disable "$unit"
done
chroot "$root" systemctl --quiet mask getty.target serial-getty@ttyS0.service
chroot "$root" systemctl --quiet enable nginx.service ssh.service auditd.service systemd-networkd.service

printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' > "$root/etc/systemd/network/eth0.network"
echo '/dev/vda / ext4 defaults 0 1' > "$root/etc/fstab"
printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' > "$root/etc/selinux/config"
# Each copy gets a name of its own.
rm -f "$root/etc/hostname"
mkdir -p "$root/root/.ssh"
chmod 0700 "$root/root/.ssh"
cp "$key" "$root/root/.ssh/authorized_keys"
chmod 0600 "$root/root/.ssh/authorized_keys"

rm -f "$root/etc/nginx/sites-enabled/default"
chroot "$root" useradd --system --user-group --home-dir /srv --shell /usr/sbin/nologin app
chroot "$root" useradd --create-home --shell /bin/bash deploy
# The policy as whatever changes it first would write it: with these users.
chroot "$root" semodule --noreload --build
# All takes longer here.
sed -e '1i #!/usr/bin/python3' -e 's/monotonic() + 20$/monotonic() + 80/' "$wait_for" > "$root/usr/local/bin/wait-for"
chmod 0755 "$root/usr/local/bin/wait-for"

# Where the packages came from is this machine's business alone.
: > "$root/etc/apt/sources.list"
rm -rf "$root/etc/apt/sources.list.d" "$root/etc/apt/apt.conf.d/99mmdebstrap"
mkdir "$root/etc/apt/sources.list.d"
