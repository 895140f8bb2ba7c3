# The device of a network, of those in NETWORKS as `network=device`; fails where it is down.
# shellcheck shell=dash
network_get_device() {
	local entry
	for entry in $NETWORKS; do
		if [ "${entry%%=*}" = "$2" ]; then
			eval "$1=\${entry#*=}"
			return 0
		fi
	done
	unset "$1"
	return 1
}
