# That of bash, which is asked what it would offer for the words before the cursor.
function __confab_offers
    bash -c 'source /usr/share/bash-completion/completions/confab
             COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _confab 2>/dev/null; printf "%s\n" "${COMPREPLY[@]}"' bash (commandline -opc) (commandline -ct)
end
complete -c confab -f -a '(__confab_offers)'
