# Completion of confab for bash, and by that of zsh and fish. It asks the binary for its commands and settings, so it knows those of the one
# that is installed.

# One command a line, as it is typed: "user import", "ctl rooms top [N]"; behind a tab what is said of it.
_confab_commands() {
    "$1" help 2>/dev/null | sed -n -E '/^  ctl /d; s/^  (.{16}) ?/\1\t/p'
    "$1" ctl 2>&1 | sed -n -E 's/^  ([a-z].*)/ctl \1/p'
}

_confab_settings() {
    "$1" config-doc 2>/dev/null | awk '/^## / { section = $2 } /^## Other names/ { exit } /^\| `/ { gsub(/`/, "", $2); print section "." $2 "=" }'
}

_confab() {
    local confab=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} typed words IFS=$' \t\n'
    COMPREPLY=()
    confab=${confab/#\~/$HOME}
    case $before in
    --config | --sessions | --ca)
        COMPREPLY=($(compgen -f -- "$current"))
        return
        ;;
    --only)
        words=$("$confab" config-doc 2>/dev/null | awk -F ' [|] ' '/^\| `roles`/ { gsub(/,/, "", $4); print $4 }')
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
        ;;
    --set)
        compopt -o nospace 2>/dev/null
        COMPREPLY=($(compgen -W "$(_confab_settings "$confab")" -- "$current"))
        return
        ;;
    esac
    typed="${COMP_WORDS[*]:1:COMP_CWORD-1}"
    if [[ $current == -* ]]; then
        words="--config --set $(_confab_commands "$confab" | grep -E -- "^${typed%% *}\b" | grep -oE -- '--[a-z]+(-[a-z]+)*')"
    else
        words=$(_confab_commands "$confab" | cut -f 1 | awk -v typed="${typed:+$typed }" \
            'index($0, typed) == 1 { split(substr($0, length(typed) + 1), rest, " "); if (rest[1] ~ /^[a-z][a-z-]*$/) print rest[1] }' | sort -u)
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _confab confab
