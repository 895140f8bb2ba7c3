# The init script's `check`: each section is translated as for a start, away from what runs, and what there is to say of it is printed, a line
# each: section, severity (`error`, `warning`, `note`), option, text, with tabs between them; the option is empty where it is not one's,
# the section too, where none can be read. It fails with 1 where a section would not start. UCI_CONFIG_DIR is another place than /etc/config.
#
# For the init script, whose names and functions it uses, with those of translate.sh.
# shellcheck shell=dash
# shellcheck disable=SC2034,SC2154

TAB="	"

# In place of the log.
say() {
	local level="$1" section='' text="$2"
	[ -z "$CHECKED" ] || section=$CHECKED text=${text#"$CHECKED": }
	case "$level" in
	err) level=error ANY_ERROR=1 ;;
	warn) level=warning ;;
	*) level=note ;;
	esac
	printf '%s\t%s\t%s\t%s\n' "$section" "$level" "$(option_of "$text")" "$(shorten "$text" | tr '\t' ' ')"
}

# The option that a text begins with.
option_of() {
	printf '%s\n' "$1" | sed -n 's/^\(unknown \)*\(option\|list\) \([A-Za-z0-9_]*\).*/\3/p'
}

# The text without option and value, which whoever reads it sees beside it.
shorten() {
	printf '%s\n' "$1" | sed "s/^option [A-Za-z0-9_]*\\( '[^']*'\\)*: //"
}

check_section() {
	local CHECKED="$1" level text
	[ -z "$ONLY" ] || [ "$ONLY" = "$CHECKED" ] || return 0
	translate "$CHECKED"
	while read -r level text; do
		say "$level" "$text"
	done <"$(file_of "$CHECKED" said.new)"
}

# Of two sections with one port in one network only one can start; which one, nobody knows.
check_port() {
	local CHECKED="$1" enabled port side network other=''
	config_get_bool enabled "$CHECKED" enabled 1
	[ "$enabled" -eq 1 ] || return 0
	port=$(value_of "$CHECKED" sip_listen_port)
	for side in inbound outbound; do
		config_get network "$CHECKED" "if_$side"
		[ -n "$network" ] || config_get network "$CHECKED" "interface_$side"
		case "$LISTENERS" in
		*"$LINE_END$side '$network' $port "*)
			other=${LISTENERS##*"$LINE_END$side '$network' $port "}
			other=${other%%"$LINE_END"*}
			;;
		esac
		LISTENERS="$LISTENERS$LINE_END$side '$network' $port $CHECKED$LINE_END"
	done
	[ -n "$other" ] || return 0
	[ -z "$ONLY" ] || [ "$ONLY" = "$CHECKED" ] || return 0
	say warn "option sip_listen_port '$port': $other has this port, too, and only one of them can start; give each its own"
}

check_sections() {
	local ONLY="$1" USED_DIR="$CONF_DIR" CONF_DIR CHECKED='' ANY_ERROR='' TRIAL=1 LISTENERS=''
	SCRATCH=$(mktemp -d -t siproxd-check.XXXXXX) || return 2
	trap 'rm -rf "$SCRATCH"' EXIT
	trap 'exit 2' HUP INT TERM
	# As that of a start: others may look for what is theirs.
	chmod 755 "$SCRATCH"
	CONF_DIR=$SCRATCH
	umask 027
	if read_sections; then
		config_foreach check_section siproxd
		config_foreach check_port siproxd
	fi
	[ -z "$ANY_ERROR" ]
}
