# fish completion for holm: put it in ~/.config/fish/completions/holm.fish.
# It holds no command names: holm itself answers, so it never goes stale.
function __holm_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (holm __complete -- $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c holm -f -a '(__holm_complete)'
