#!/bin/bash
# The completions, each loaded by its shell: what it offers behind `-` are the options that --help names,
# and what it offers for a value is one the program takes.
set -uo pipefail
cd "$(dirname "$0")/../.."

: "${DIST:=$PWD/target/dist}"
folder=$PWD/deploy/completions
failures=0

have() { command -v "$1" >/dev/null 2>&1; }

# The options that --help names: one begins its line, and what is said of it stands behind two spaces.
helped() {
    "$DIST/bin/$1" --help | sed -n 's/^ \{2,\}\(-.*\)/\1/p' | sed 's/   *.*//' |
        grep -oE '(^|[ ,])-(-[a-z0-9-]+|[a-zA-Z]\b)' | tr -d ' ,' | sort -u
}

# offered SHELL PROGRAM WORDS...: what SHELL offers for the last of the words.
offered() { "complete_$1" "${@:2}" | sed 's/=$//' | sort -u; }

complete_bash() {
    bash --norc -c '
        source "$1/${2/recv_r/send_r}.bash"
        compopt() { :; }
        function=$(complete -p "$2" | sed "s/.*-F \([^ ]*\) .*/\1/")
        COMP_WORDS=("${@:2}")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMPREPLY=()
        "$function" && printf "%s\n" "${COMPREPLY[@]}"' - "$folder" "$@"
}

complete_fish() {
    local line="$*"
    HOME=$work fish --no-config -c 'for file in $argv[1]/*.fish; source $file; end; complete -C $argv[2]' \
        "$folder" "$line" | cut -f 1
}

# An interactive zsh in a pseudo-terminal, which says what is added instead of showing it.
complete_zsh() {
    local line="$*"
    HOME=$work timeout 60 zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -f -i
        wait_for() { local all= part; while zpty -r shell part; do all+=$part; [[ $all == *$1* ]] && break; done }
        zpty -w shell "PS1= PS2= RPS1=; unsetopt zle_bracketed_paste prompt_sp; fpath=($1 \$fpath)"
        zpty -w shell "autoload -Uz compinit && compinit -u -d $HOME/zcompdump"
        zpty -w shell "compadd() { [[ \$@[(I)-[AOD]] -gt 0 ]] && { builtin compadd \"\$@\"; return }
            builtin compadd -A hits \"\$@\"; print -rl -- \$hits >>$HOME/hits; builtin compadd \"\$@\" }"
        zpty -w shell "finish() { _main_complete; print >$HOME/done }; zle -C finish complete-word finish"
        zpty -w shell "bindkey \"^I\" finish; print rea\"\"dy"
        wait_for ready
        zpty -w -n shell "$2"$'"'\\t'"'
        until [[ -e $HOME/done ]]; do zpty -r -t shell part; done
        zpty -d shell' - "$folder" "$line"
    cat "$work/hits"
    rm -f "$work/hits" "$work/done"
}

# same SHELL NAME COMMAND...: what SHELL offers is what the command prints.
same() {
    local shell=$1 name=$2 wanted=$3
    shift 3
    if diff <(printf '%s\n' "$wanted") <(offered "$shell" "$@") >"$work/diff"; then
        echo "ok completions/$shell/$name"
    else
        echo "FAIL completions/$shell/$name: wanted (<), offered (>)"
        sed 's/^/    /' "$work/diff"
        failures=$((failures + 1))
    fi
}

# Everything that begins with a dash; a short option has its long form beside it in a shell that shows
# one of the two only.
options() {
    local shell=$1 program=$2 wanted extra missing
    wanted=$(helped "$program")
    [ "$(wc -l <<<"$wanted")" -gt 10 ] || { echo "FAIL completions: --help of $program has no options"; exit 1; }
    offered=$(offered "$shell" "$program" -; offered "$shell" "$program" --)
    missing=$(comm -23 <(echo "$wanted") <(sort -u <<<"$offered"))
    # The relay understands short forms that its help leaves out for brevity.
    extra=$(comm -13 <(echo "$wanted") <(sort -u <<<"$offered") | grep -- '^--')
    if [ -z "$missing$extra" ]; then
        echo "ok completions/$shell/$program"
    else
        echo "FAIL completions/$shell/$program: missing [${missing//$'\n'/ }], too many [${extra//$'\n'/ }]"
        failures=$((failures + 1))
    fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-completions.XXXXXX")
trap 'rm -rf "$work"' EXIT
for shell in bash zsh fish; do
    have $shell || { echo "SKIP completions/$shell: $shell not installed"; continue; }
    for program in send_r recv_r p2p-relay; do
        options $shell $program
    done
    same $shell backend $'epoll\nthreads' p2p-relay --backend ''
    same $shell log $'json\ntext' p2p-relay --log ''
done
[ $failures -eq 0 ]
