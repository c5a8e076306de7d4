# bash completion for holm: source it, or put it where bash-completion looks for it.
# It holds no command names: holm itself answers, so it never goes stale.
_holm() {
  local current=${COMP_WORDS[COMP_CWORD]} line value
  local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  # bash splits words at "=": holm has to see --flag=value as one.
  local previous=${COMP_WORDS[COMP_CWORD - 1]}
  if [[ $current == '=' && COMP_CWORD -ge 2 ]]; then
    words=("${COMP_WORDS[@]:1:COMP_CWORD - 2}" "$previous=")
    current=
  elif [[ $previous == '=' && COMP_CWORD -ge 3 ]]; then
    words=("${COMP_WORDS[@]:1:COMP_CWORD - 3}" "${COMP_WORDS[COMP_CWORD - 2]}=$current")
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ':files' ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$current")
      continue
    fi
    value=${line%%$'\t'*}
    [[ $value == --*=* ]] && value=${value#*=}
    [[ -n $value ]] && COMPREPLY+=("$value")
  done < <(holm __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _holm holm
