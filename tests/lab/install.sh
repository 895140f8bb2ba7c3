#!/bin/sh
# Installs the Debian packages that the lab, the demo and the benchmark need; quick where nothing is missing.
# No package's own service is started, and none stays enabled to start by itself.
set -eu

packages="baresip-core busybox conntrack iproute2 kamailio kamailio-extra-modules netcat-openbsd nftables procps python3 python3-pytest
          rtpengine-daemon shellcheck sip-tester sipsak tcpdump"
policy=/usr/sbin/policy-rc.d

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "To install$missing, this needs root." >&2
    exit 1
fi

# What Debian asks before a service is started (/usr/share/doc/init-system-helpers/README.policy-rc.d.gz):
# 101 is "no". Whatever stood there comes back afterwards.
kept=
restore() {
    rm -f "$policy"
    if [ -n "$kept" ]; then
        mv "$kept" "$policy"
    fi
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$policy" ] || [ -L "$policy" ]; then
    mv "$policy" "$policy.siproxd-lab"
    kept="$policy.siproxd-lab"
fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "Installing$missing"
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null

# A service that was never started here shall not come up at the next boot either.
for service in kamailio rtpengine-daemon ngcp-rtpengine-daemon; do
    case " $missing " in
    *" ${service#ngcp-} "*) [ ! -d /run/systemd/system ] || systemctl disable --quiet "$service" 2>/dev/null || true ;;
    esac
done
