#!/bin/sh
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a lab host one with a Docker engine of its own, in a container of the first image: finish.sh SOURCES PACKAGE...
# SOURCES are the lines of apt's sources.list. The folder of this script holds what goes into the images of the host's own containers.
set -eu
sources=$1
shift
here=$(dirname "$0")
images=/usr/share/images

printf '%s\n' "$sources" > /etc/apt/sources.list
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt
: > /etc/apt/sources.list
# Podman runs where a test starts it.
systemctl --quiet disable podman.service podman.socket podman-auto-update.service podman-auto-update.timer podman-restart.service
systemctl --quiet enable docker.service

# Copies programs and modules with the libraries they need: into ROOT, each file named.
copy() {
  root=$1
  shift
  for file in "$@"; do
    echo "$file"
    ldd "$file" 2> /dev/null | grep -o '/[^ ]*' || true
  done | sort -u | tar -chPf - -T - | tar -xf - -C "$root"
}

# A root file system with a shell and a few commands, names that are looked up as everywhere, and one user.
base() {
  root=$images/$1
  mkdir -p "$root/bin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/usr/bin" "$root/usr/sbin" "$root/var/run"
  mkdir -m 1777 "$root/tmp"
  for link in lib lib64; do
    ln -s "usr/$link" "$root/$link"
    mkdir -p "$root/usr/$link"
  done
  cp /bin/busybox "$root/bin/busybox"
  for command in sh cat echo env grep hostname id kill ls mkdir nc nslookup ps rm sed sleep wget; do
    ln -s busybox "$root/bin/$command"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\n%s:x:101:101::/nonexistent:/bin/false\n' "$2" > "$root/etc/passwd"
  printf 'root:x:0:\n%s:x:101:\n' "$2" > "$root/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' > "$root/etc/nsswitch.conf"
  cp /etc/os-release "$root/etc/os-release"
}

# Packs a root file system, and removes it.
pack() {
  tar -C "$images/$1" --owner=0 --group=0 -cf "$images/$1.tar" .
  rm -rf "${images:?}/$1"
}

# nginx as its well-known image has it: configuration in conf.d, logs on the container's output.
base nginx nginx
copy "$images/nginx" /usr/sbin/nginx
mkdir -p "$images/nginx/etc/nginx/conf.d" "$images/nginx/var/log/nginx" "$images/nginx/var/lib/nginx" "$images/nginx/usr/share/nginx/html"
cp /etc/nginx/mime.types /etc/nginx/fastcgi_params /etc/nginx/uwsgi_params /etc/nginx/scgi_params "$images/nginx/etc/nginx/"
cp "$here/nginx.conf" "$images/nginx/etc/nginx/nginx.conf"
cp "$here/default.conf" "$images/nginx/etc/nginx/conf.d/default.conf"
cp /usr/share/nginx/html/index.html "$images/nginx/usr/share/nginx/html/"
ln -s /dev/stdout "$images/nginx/var/log/nginx/access.log"
ln -s /dev/stderr "$images/nginx/var/log/nginx/error.log"
pack nginx

# An application, with what it needs of Python.
base shop app
modules=$(PYTHONPATH=$here python3 -B -c '
import app, encodings.idna, encodings.latin_1, sys
print(*sorted({file for module in sys.modules.values() for file in [getattr(module, "__file__", None)] if file} - {app.__file__}))
')
# shellcheck disable=SC2086 # a word for each file
copy "$images/shop" /usr/bin/python3 $modules
mkdir "$images/shop/srv"
cp "$here/app.py" "$images/shop/srv/app.py"
pack shop

install -m 0755 "$here/boot.sh" /usr/local/sbin/boot
cp "$here/images.service" /etc/systemd/system/images.service
systemctl --quiet enable images.service
