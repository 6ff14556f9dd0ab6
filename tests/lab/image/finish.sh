#!/bin/sh
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finishes the root file system of the lab's image: finish.sh ROOT PM2_FOLDER WAIT_FOR
set -eu
root=$1
pm2=$2
wait_for=$3

# Only nginx and SSH start by themselves: what else a host runs is the business of the fault on it.
for unit in php8.2-fpm.service supervisor.service memcached.service logrotate.timer phpsessionclean.timer apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-pstore.service getty@.service; do
  chroot "$root" systemctl --quiet disable "$unit"
done
chroot "$root" systemctl --quiet mask console-getty.service getty.target
chroot "$root" systemctl --quiet enable nginx.service ssh.service

rm -f "$root/etc/nginx/sites-enabled/default"
chroot "$root" useradd --system --user-group --home-dir /srv --shell /usr/sbin/nologin app
chroot "$root" useradd --create-home --shell /bin/bash deploy

mkdir -p "$root/opt/pm2"
cp -R --no-preserve=ownership "$pm2/node_modules" "$root/opt/pm2/"
ln -s /opt/pm2/node_modules/pm2/bin/pm2 "$root/usr/local/bin/pm2"
chmod 0755 "$root/opt/pm2/node_modules/pm2/bin/pm2"
sed '1i #!/usr/bin/python3' "$wait_for" > "$root/usr/local/bin/wait-for"
chmod 0755 "$root/usr/local/bin/wait-for"

# Where the packages came from is this machine's business alone.
: > "$root/etc/apt/sources.list"
rm -rf "$root/etc/apt/sources.list.d" "$root/etc/apt/apt.conf.d/99mmdebstrap"
mkdir "$root/etc/apt/sources.list.d"
