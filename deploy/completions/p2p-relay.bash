# Completion of p2p-relay for bash.

_p2p_relay() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes '=' for a word of its own.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $before in
    --backend) mapfile -t COMPREPLY < <(compgen -W 'epoll threads' -- "$word") ;;
    --log) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") ;;
    --takeover)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    --bind | --hello-timeout | --idle-timeout | --half-close | --max-connections | --reserve | --drain | \
        --source-connections | --source-listeners | --source-rate | --source-bytes | --pair-bytes | \
        --proxy-from | --metrics | --status) ;;
    *)
        [[ $word != -* ]] || mapfile -t COMPREPLY < <(compgen -W '--bind --hello-timeout --idle-timeout
            --half-close --max-connections --reserve --source-connections --source-listeners --source-rate
            --source-bytes --pair-bytes --proxy-protocol --proxy-from --drain --takeover --backend
            --metrics --status --log --log-ids --quiet --version --help' -- "$word")
        ;;
    esac
}

complete -F _p2p_relay p2p-relay
