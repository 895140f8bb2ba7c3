# Completion of siproxd for bash; /usr/share/bash-completion/completions/siproxd is the place for it.

_siproxd() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local options="-c --config -d --debug -p --pid-file -h --help --instance --json --timeout --after --watch --openmetrics --check --version"
    local commands="status bindings calls history refusals stats log debug reload drop"

    COMPREPLY=()
    # bash takes --config=FILE for three words.
    [ "$cur" = "=" ] && cur=
    [ "$prev" = "=" ] && prev=${COMP_WORDS[COMP_CWORD - 2]}
    case $prev in
        -c | --config | -p | --pid-file)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        -d | --debug)
            mapfile -t COMPREPLY < <(compgen -W "-1 0x80 0x200" -- "$cur")
            return
            ;;
        --instance | --timeout | --after | drop)
            return
            ;;
        debug)
            mapfile -t COMPREPLY < <(compgen -W "all off sip,reg traffic rtp dns" -- "$cur")
            return
            ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
}

complete -F _siproxd siproxd
