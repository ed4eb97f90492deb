#compdef confab
# That of bash, which zsh understands; its function takes the place of this one.
autoload -U +X bashcompinit && bashcompinit
source /usr/share/bash-completion/completions/confab
_bash_complete -F _confab
