# apt and dpkg on the container's own packages, and a package made, installed and removed.
set -e
apt list --installed 2>/dev/null | md5sum
dpkg -l | wc -l
mkdir -p /tmp/k/DEBIAN /tmp/k/opt/hello && cd /tmp
printf 'Package: hello-local\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b>\nDescription: test\n' >k/DEBIAN/control
printf '#!/bin/sh\necho configured "$1"\n' >k/DEBIAN/postinst && chmod 755 k/DEBIAN/postinst
echo hello >k/opt/hello/file
dpkg-deb -b k k.deb && dpkg -i k.deb 2>&1 | grep -v "Reading database"
cat /opt/hello/file && dpkg -L hello-local && dpkg -r hello-local 2>&1 | grep -v "Reading database"
dpkg -s hello-local 2>&1 | head -n 1
