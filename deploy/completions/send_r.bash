# Completion of send_r and recv_r for bash.

_p2pxfer() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes '=' for a word of its own; without it, three of the options have no value.
    if [[ $word == = ]]; then
        word='' before+==
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}=
    fi
    COMPREPLY=()
    case $before in
    --secret-file | --secret-file= | --output | --output= | -o) return ;;
    --secret-fd | --timeout | --text | --*=)
        compopt +o default
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-v --verbose -q --quiet --json
            --secret-file --secret-fd --ask-secret --new-secret --require-secret
            --wait --wait= --timeout --reconnect --reconnect=
            -o --output --overwrite -y --yes --stdin --stdin= --text --v1 --version --help' -- "$word")
        [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
    fi
}

# What has no answer here is a file or a folder.
complete -o default -F _p2pxfer send_r recv_r
