# From a section of /etc/config/siproxd to a siproxd.conf, `siproxd-SECTION.conf.new`, and to what procd is told of its instance, a call a
# line, `siproxd-SECTION.instance.new`. For the init script, whose names and functions it uses.
#
# With TRIAL=1 nothing is touched outside of CONF_DIR, and all that there is to say is told; see check.sh.
# shellcheck shell=dash
# shellcheck disable=SC2154

# What is the router's, and in no siproxd.conf.
OWN_OPTIONS="enabled interface_inbound interface_outbound jail firewall_open conntrack"

# What the router has set since there is a package, where the section sets nothing.
DEFAULTS="sip_listen_port=5060 autosave_registrations=300 rtp_port_low=7070 rtp_port_high=7089 rtp_timeout=300 rtp_dscp=46
	tcp_timeout=600 tcp_keepalive=20 default_expires=600"

# Ports below are root's.
FIRST_FREE_PORT=1024

# Blocks of 4 KiB of the password file that are copied: more than as many accounts as siproxd takes have.
PASSWORD_BLOCKS=64

LINE_END="
"

# Sections with an option that cannot be written down.
BROKEN=

# Reads the file: options go into the conf.new of their sections. Fails, with a line in the log, where it is no file of UCI.
read_sections() {
	local error
	if ! error=$(uci ${UCI_CONFIG_DIR:+-c "$UCI_CONFIG_DIR"} show siproxd 2>&1 >/dev/null); then
		say err "/etc/config/siproxd cannot be read: ${error:-no such file}; mend it, \`uci show siproxd\` tells when it is good. What runs goes on as it was"
		return 1
	fi
	# shellcheck disable=SC2317
	{
		config_cb() { begin_section "$@"; }
		option_cb() { write_option option "$@"; }
		list_cb() { write_option list "$@"; }
	}
	SECTION=
	config_load siproxd
	reset_cb
}

# A section begins, and its options follow in the order of the file; without arguments, at the end of all.
begin_section() {
	SECTION=
	[ "$1" = siproxd ] || return 0
	[ -z "$ONLY" ] || [ "$ONLY" = "$2" ] || return 0
	SECTION=$2
	: >"$(file_of "$SECTION" conf.new)"
	: >"$(file_of "$SECTION" said.new)"
}

# Something to be said of the section, once it is read.
note() {
	printf '%s %s: %s\n' "$1" "$SECTION" "$2" >>"$(file_of "$SECTION" said.new)"
}

# Something that stands in the way of the section.
refuse() {
	BROKEN="$BROKEN $SECTION "
	note err "$1"
}

# Whether the value of an option is nobody else's business; also where its name is misspelt.
is_secret() {
	case "$1" in
	*pas*w*d* | *pass* | *pwd* | *secret*) return 0 ;;
	*) return 1 ;;
	esac
}

# One line of siproxd.conf, except for what is ours or procd's to see to.
write_option() {
	local kind="$1" name="$2" value="$3" shown
	[ -n "$SECTION" ] || return 0
	case " $OWN_OPTIONS " in *" $name "*) return 0 ;; esac
	case "$name" in
	user | pid_file | plugindir | proxy_auth_pwfile) return 0 ;;
	daemonize | chrootjail)
		note warn "option $name '$value' is ignored: that is procd's part, see option jail"
		return 0
		;;
	esac
	while [ "${value%"$LINE_END"}" != "$value" ]; do
		value=${value%"$LINE_END"}
	done
	if [ -z "$value" ]; then
		[ "$kind" = option ] ||
			note warn "list $name has an entry without a value, which is left out; lists that belong together pair by position"
		return 0
	fi
	shown=" '$value'"
	! is_secret "$name" || shown=
	case "$value" in
	*"$LINE_END"*)
		refuse "$kind $name has a line end in its value; write one line, and a list where several values are meant"
		return 0
		;;
	*"#"*) note warn "$kind $name$shown: # begins a comment, as in every siproxd.conf: it and what follows are left out" ;;
	esac
	printf '%s = %s\n' "$name" "$value" >>"$(file_of "$SECTION" conf.new)"
}

# The option with which siproxd starts: as the section has it, or the router's default.
value_of() {
	local section="$1" name="$2" value entry
	config_get value "$section" "$name"
	if [ -z "$value" ]; then
		for entry in $DEFAULTS; do
			[ "${entry%%=*}" != "$name" ] || value=${entry#*=}
		done
	fi
	echo "$value"
}

# The one of several words, without their first, that was most likely meant by the first: at most a third of the letters are wrong, or two.
nearest() {
	printf '%s\n' "$@" | awk '
		function least(a, b) { return a < b ? a : b }
		NR == 1 { word = tolower($0); most = length(word) < 6 ? 2 : int(length(word) / 3); next }
		{
			for (j = 0; j <= length($0); j++) row[0, j] = j
			for (i = 1; i <= length(word); i++) {
				row[i, 0] = i
				for (j = 1; j <= length($0); j++)
					row[i, j] = least(least(row[i - 1, j], row[i, j - 1]) + 1, \
						row[i - 1, j - 1] + (substr(word, i, 1) != substr(tolower($0), j, 1)))
			}
			if (row[length(word), length($0)] <= most) { most = row[length(word), length($0)] - 1; meant = $0 }
		}
		END { print meant }'
}

# The networks of /etc/config/network. In a shell of its own, for it loads another file.
networks() {
	(
		# shellcheck disable=SC2317
		print_name() { [ "$1" = loopback ] || echo "$1"; }
		config_load network
		config_foreach print_name interface
	)
}

# The zone of the firewall that a network is in. In a shell of its own, for it loads another file.
zone_of() {
	(
		wanted=$1
		# shellcheck disable=SC2317
		print_zone() {
			local name networks
			config_get name "$1" name
			config_get networks "$1" network "$name"
			case " $networks " in *" $wanted "*) echo "$name" ;; esac
		}
		config_load firewall
		config_foreach print_zone zone
	) | head -n 1
}

# Translates `interface_inbound` or `interface_outbound` into the device of the network. One that has gone down keeps the device it had, so that
# nothing is restarted when it comes back. Fails with 2, and a line in the log, where there is none yet. Where nothing is set, siproxd finds one.
write_interface() {
	local section="$1" side="$2" device network all meant
	config_get device "$section" "if_$side"
	config_get network "$section" "interface_$side"
	[ -z "$device" ] && [ -n "$network" ] || return 0
	network_get_device device "$network" ||
		device=$(sed -n "s/^if_$side = \(.*\) # $network\$/\1/p" "$USED_DIR/siproxd-$section.conf" 2>/dev/null)
	if [ -n "$device" ]; then
		echo "if_$side = $device # $network" >>"$(file_of "$section" conf.new)"
		return 0
	fi
	all=$(networks)
	case "$LINE_END$all$LINE_END" in
	*"$LINE_END$network$LINE_END"*)
		note notice "option interface_$side '$network': the network is down; started as soon as it is up"
		;;
	*)
		# shellcheck disable=SC2086
		meant=$(nearest "$network" $all)
		note warn "option interface_$side '$network': there is no such network in /etc/config/network, it is waited for;${meant:+ did you mean $meant?} there are: $(echo "$all" | xargs)"
		;;
	esac
	return 2
}

# Makes a directory that the account can write to. One that was there already may be anything, such as a whole disk, and keeps its owner; ours
# are ours. Links are not followed: what is in it may be the account's doing.
own_directory() {
	local directory="$1" owner="$2"
	case "$directory/" in
	"$STATE_DIR/"* | "$RUN_DIR/"*) ;;
	*) [ ! -d "$directory" ] || return 0 ;;
	esac
	if [ -n "$TRIAL" ]; then
		MADE="$MADE $directory"
		return 0
	fi
	(umask 022 && mkdir -p "$directory") && chown -h "$owner" "$directory"
}

# The directory of ours for an account: where there are several, each has its own.
directory_for() {
	if [ "$2" = "$ACCOUNT" ]; then echo "$1"; else echo "$1/$2"; fi
}

# The account's copy of the password file: it need not be able to read the file itself, and has it in its jail.
copy_passwords() {
	local section="$1" group="$2" from copy
	config_get from "$section" proxy_auth_pwfile
	[ -n "$from" ] || return 0
	if [ ! -f "$from" ] || [ -L "$from" ]; then
		refuse "option proxy_auth_pwfile '$from': there is no such file; make it, or take the option out"
		return 1
	fi
	copy=$(file_of "$section" passwd)
	# What the kernel shows as a file may be without an end, or wait for ever: it has no size, or any.
	if [ -s "$from" ]; then
		dd if="$from" bs=4096 count="$PASSWORD_BLOCKS" 2>/dev/null
	fi >"$copy.new" && chown "root:$group" "$copy.new"
	echo "proxy_auth_pwfile = $copy" >>"$(file_of "$section" conf.new)"
}

# The files of plugins that are on, a line each. siproxd's own default is one for all, so that each instance is given its own.
plugin_files() {
	local section="$1" new plugin name path
	new=$(file_of "$section" conf.new)
	for plugin in stats=filename blacklist=dbpath; do
		name=plugin_${plugin%=*}
		grep -qE "^load_plugin = (.*/)?$name(\\.la|\\.so)?\$" "$new" || continue
		config_get path "$section" "${name}_${plugin#*=}"
		if [ -z "$path" ] && [ "$plugin" = blacklist=dbpath ]; then
			path=$(directory_for "$STATE_DIR" "$2")/siproxd-$section.blacklist
			echo "${name}_dbpath = $path" >>"$new"
		fi
		[ -z "$path" ] || echo "$path"
	done
}

# What of the section is no directive of the user's: directories, passwords, defaults.
write_rest() {
	local section="$1" user="$2" group="$3" new entry name value registrations socket file
	new=$(file_of "$section" conf.new)
	for entry in $DEFAULTS; do
		name=${entry%%=*}
		config_get value "$section" "$name"
		[ -n "$value" ] || echo "$name = ${entry#*=}" >>"$new"
	done
	config_get registrations "$section" registration_file
	if [ -z "$registrations" ]; then
		registrations=$(directory_for "$STATE_DIR" "$user")/siproxd-$section.reg
		echo "registration_file = $registrations" >>"$new"
	fi
	config_get socket "$section" control_socket
	if [ -z "$socket" ]; then
		socket=$(directory_for "$RUN_DIR" "$user")/$section.sock
		# Where siproxd looks for it by itself nothing need be said.
		[ "$user" = "$ACCOUNT" ] || echo "control_socket = $socket" >>"$new"
	fi
	copy_passwords "$section" "$group" || return 1
	own_directory "${registrations%/*}" "$user:$group"
	# Of a siproxd that ran as another account.
	for entry in "$registrations" "$registrations.key"; do
		case "$entry" in
		"$STATE_DIR/"*) [ -n "$TRIAL" ] || [ ! -e "$entry" ] || chown -h "$user:$group" "$entry" ;;
		esac
	done
	[ "$socket" = off ] || own_directory "${socket%/*}" "$user:$group"
	WRITABLE="${registrations%/*}"
	[ "$socket" = off ] || make_writable "$socket"
	for file in $(plugin_files "$section" "$user"); do
		own_directory "${file%/*}" "$user:$group"
		make_writable "$file"
	done
	chown "root:$group" "$new"
}

# The directory of a file is one that siproxd writes to.
make_writable() {
	case " $WRITABLE " in *" ${1%/*} "*) ;; *) WRITABLE="$WRITABLE ${1%/*}" ;; esac
}

# Whether siproxd needs root to start, which it gives up by itself but for what it needs: for ports that are root's, for packets that are others',
# and to delete what connection tracking has of old addresses. The values are good: they have been checked.
needs_root() {
	local section="$1" name port conntrack
	config_get_bool conntrack "$section" conntrack 0
	[ "$conntrack" -eq 0 ] || return 0
	for name in sip_listen_port rtp_port_low debug_port; do
		port=$(value_of "$section" "$name")
		port=$((${port:-0}))
		[ "$port" -eq 0 ] || [ "$port" -ge "$FIRST_FREE_PORT" ] || return 0
	done
	[ "$(value_of "$section" transparent)" = 1 ]
}

# Says what is wrong with a configuration; fails where siproxd would not start with it.
check_conf() {
	local section="$1" user="$2" group="$3" problems
	problems=$(problems_of "$section" "$user" "$group") || {
		leave_out_unknown "$section" "$problems"
		problems=$(problems_of "$section" "$user" "$group") || {
			tell_problems "$section" "$problems"
			return 1
		}
	}
	if [ -n "$TRIAL" ]; then
		tell_problems "$section" "$problems"
		return 0
	fi
	# The account is procd's doing: siproxd will not know that it is to say this itself.
	printf '%s\n' "$problems" | sed -n 's/^[^ ]*: warning: \(.*registrations.*\)/\1/p' | while read -r line; do
		note warn "$line"
	done
}

# Succeeds where siproxd would start; what else it warns of it repeats in the log by itself.
problems_of() {
	local new check
	new=$(file_of "$1" conf.new)
	check=$(file_of "$1" check.new)
	# The passwords are not in their place yet.
	sed "s,^proxy_auth_pwfile = .*,&.new," "$new" >"$check"
	echo "user = $2" >>"$check"
	[ -z "$TRIAL" ] || pretend_made "$check" "$2:$3"
	# shellcheck disable=SC2069
	"$PROG" --check -c "$check" 2>&1 >/dev/null || [ $? -eq 2 ]
}

# In a trial: directories that a start makes have another in their place, and the file is its account's, as it would be.
pretend_made() {
	local check="$1" owner="$2" directory
	mkdir -p "$CONF_DIR/made"
	chown -h "$owner" "$CONF_DIR/made"
	for directory in $MADE; do
		awk -v old=" = $directory/" -v new=" = $CONF_DIR/made/" '
			(at = index($0, old)) && index(substr($0, at + length(old)), "/") == 0 {
				$0 = substr($0, 1, at - 1) new substr($0, at + length(old))
			}
			{ print }' "$check" >"$check.made"
		cat "$check.made" >"$check"
	done
	chown "root:${owner#*:}" "$check"
}

# An option that this siproxd does not know is no reason not to start: it may be of another version.
leave_out_unknown() {
	local section="$1" new line name hint meant
	new=$(file_of "$section" conf.new)
	# shellcheck disable=SC2016
	printf '%s\n' "$2" | sed -n 's/^[^ ]*:\([0-9]*\):[0-9]*: unknown directive `[^`]*`\(.*\)/\1 \2/p' | while read -r line hint; do
		name=$(sed -n "${line}s/ = .*//p" "$new")
		# shellcheck disable=SC2086
		meant=$(nearest "$name" $OWN_OPTIONS)
		[ "$name" != disabled ] || meant="enabled '0'"
		[ -z "$meant" ] || hint="; did you mean \`$meant\`?"
		note warn "unknown option $name is left out$hint"
		sed "${line}s/^/# unknown: /" "$new" >"$(file_of "$section" known.new)"
		cat "$(file_of "$section" known.new)" >"$new"
	done
}

# Errors of siproxd's in the words of UCI; in a trial what is less than that, too.
tell_problems() {
	local section="$1" check passwords from problem level line name value text
	check=$(file_of "$section" check.new)
	passwords=$(file_of "$section" passwd.new)
	config_get from "$section" proxy_auth_pwfile
	printf '%s\n' "$2" | while IFS= read -r problem; do
		[ -n "$problem" ] || continue
		level=err
		case "$problem" in
		*": warning: "*) level=warn ;;
		*": note: "*) level=notice ;;
		esac
		[ "$level" = err ] || [ -n "$TRIAL" ] || continue
		case "$problem" in
		"$check":[0-9]*)
			text=${problem#"$check":}
			line=${text%%:*}
			name=$(sed -n "${line}s/ = .*//p" "$check")
			value=$(sed -n "${line}s/^[^ ]* = //p" "$check")
			text=${text#*: }
			text=${text#warning: }
			text=${text#note: }
			text=${text#"$name = $value: "}
			# Of ours, with the network behind it.
			case "$name:$value" in
			if_*:*" # "*) name=interface_${name#if_} value=${value##* # } ;;
			esac
			if is_secret "$name"; then
				text="option $name: $text"
			else
				text="option $name '$value': $text"
			fi
			;;
		"$check: "*) text=${problem#"$check: "} ;;
		"$passwords":*) text="option proxy_auth_pwfile '$from': line ${problem#"$passwords":}" ;;
		*) text=$problem ;;
		esac
		note "$level" "$text"
	done
}

# The rules that open the firewall for the section: zone, protocol, ports.
write_rules() {
	local section="$1" is_open network zone sip low high
	: >"$(file_of "$section" rules.new)"
	config_get_bool is_open "$section" firewall_open 0
	[ "$is_open" -eq 1 ] || return 0
	config_get network "$section" interface_outbound
	zone=$(zone_of "$network")
	if [ -z "$zone" ]; then
		note warn "option firewall_open '1': no zone of /etc/config/firewall has the network '$network'; set interface_outbound to one that is in a zone. Nothing is opened"
		return 0
	fi
	sip=$(($(value_of "$section" sip_listen_port)))
	low=$(($(value_of "$section" rtp_port_low)))
	high=$(($(value_of "$section" rtp_port_high)))
	{
		printf '%s udp %s\n%s tcp %s\n' "$zone" "$sip" "$zone" "$sip"
		# The last port is that of RTCP, beside an even one.
		[ "$(value_of "$section" rtp_proxy_enable)" = 0 ] || echo "$zone udp $((low + low % 2))-$((high | 1))"
	} >"$(file_of "$section" rules.new)"
}

# What procd is told, a call a line.
write_instance() {
	local section="$1" user="$2" group="$3" is_root="$4" jail pid_file watched directory
	# An upgrade need not stop the old program.
	watched="$(file_of "$section" started) $PROG"
	config_get_bool jail "$section" jail 1
	# In the jail a file is what it was when the jail was made.
	[ "$jail" -eq 0 ] || watched="$watched /etc/resolv.conf"
	echo "param command $PROG -c $(file_of "$section" conf) --instance $section"
	# procd restarts the instance when one of them is another, and no other instance.
	echo "param file $watched"
	# Without an end: it stands in the way of no one, and its phones are worth every try.
	echo "param respawn 3600 5 0"
	config_get pid_file "$section" pid_file
	[ -z "$pid_file" ] || echo "param pidfile $pid_file"
	[ -n "$is_root" ] || printf 'param user %s\nparam group %s\n' "$user" "$group"
	[ "$jail" -eq 1 ] || return 0
	echo "jail siproxd-$section log procfs ronly"
	# Directories, so that files that are replaced in them are seen.
	echo "mount $CONF_DIR /etc/resolv.conf /dev/null"
	[ -z "$is_root" ] || echo "mount /etc/passwd /etc/group"
	for directory in $WRITABLE; do
		echo "mount_rw $directory"
	done
	echo "param no_new_privs 1"
}

# Whether all that names a file can be told to procd, whose words are separated by blanks; and root writes none where another could have put a link.
check_paths() {
	local section="$1" name path
	for name in registration_file control_socket pid_file plugin_stats_filename plugin_blacklist_dbpath; do
		config_get path "$section" "$name"
		case "$path" in
		"" | off) continue ;;
		*[[:space:]]*)
			refuse "option $name '$path': a path with blanks cannot be told to procd; name another"
			return 1
			;;
		# What is ours is known by how its path begins, and given to the account.
		*/../* | */..)
			refuse "option $name '$path': a path with .. in it; write where the file is"
			return 1
			;;
		/*/*) ;;
		*)
			refuse "option $name '$path': not the whole path, as /var/run/siproxd.pid; write it from / on, in a directory"
			return 1
			;;
		esac
	done
	config_get path "$section" pid_file
	if [ -n "$path" ]; then
		[ -n "$TRIAL" ] || mkdir -p "${path%/*}"
		[ -O "${path%/*}" ] && return 0
		[ -n "$TRIAL" ] && [ ! -e "${path%/*}" ] && return 0
		refuse "option pid_file '$path': the directory is not root's, who writes the file; name another, as /var/run/siproxd-$section.pid"
		return 1
	fi
}

# Makes the section's files, beside those in use. Fails, with lines in the log, where the section cannot run with them; with 2 where it only
# waits for a network.
translate() {
	local section="$1" user group new is_root='' WRITABLE='' MADE=''
	SECTION=$section
	new=$(file_of "$section" conf.new)
	if [ "${#section}" -gt 64 ]; then
		refuse "the name of the section is longer than 64 characters; give it another"
		return 1
	fi
	case "$BROKEN" in *" $section "*) return 1 ;; esac
	[ ! -d "$IPKG_INSTROOT/sys/module/nf_conntrack_sip" ] ||
		note warn "the kernel's SIP helper is loaded, and changes SIP behind siproxd's back: rmmod nf_nat_sip nf_conntrack_sip, and remove kmod-nf-nathelper-extra"
	config_get user "$section" user "$ACCOUNT"
	if ! group=$(id -gn "$user" 2>/dev/null); then
		refuse "option user '$user': there is no such account; name another, as nobody"
		return 1
	fi
	check_paths "$section" || return 1
	write_interface "$section" inbound && write_interface "$section" outbound || [ -n "$TRIAL" ] || return 2
	write_rest "$section" "$user" "$group" && check_conf "$section" "$user" "$group" || return 1
	if needs_root "$section"; then
		is_root=1
		echo "user = $user" >>"$new"
	fi
	write_rules "$section"
	write_instance "$section" "$user" "$group" "$is_root" >"$(file_of "$section" instance.new)"
}
