# Completion of optotorch's commands and options for bash. What there is, the program's own help says.

_optotorch() {
  local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} known
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    known=$("$program" --help 2>/dev/null | sed -n '/^Subcommands:/,$ s/^  \([a-z][a-z-]*\) .*/\1/p')
    known+=$'\n--help\n--version'
  elif [[ $word == -* ]]; then
    known=$({
      "$program" "$command" --help
      "$program" "$command" --help-laboratory
    } 2>/dev/null | grep -oE '^  (-[a-z],)?--[a-z][a-z-]*' | grep -oE -- '--[a-z-]+')
  else
    return # a file or a folder, by bash itself
  fi
  mapfile -t COMPREPLY < <(compgen -W "$known" -- "$word")
}

complete -o default -F _optotorch optotorch
