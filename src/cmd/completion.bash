# SPDX-License-Identifier: BSD-2-Clause
# _perfscope_table says what can follow. COMMAND: its options. COMMAND -OPTION: the option's values.
# COMMAND NUMBER: that operand; COMMAND rest: all further ones. Values are "words WORD...", or a source.

# What compgen finds, one a line, whatever the names hold.
_perfscope_add() {
    local -a found
    mapfile -t found < <(compgen "$@" -- "$cur")
    COMPREPLY+=("${found[@]}")
}

_perfscope_words() {
    local IFS=$' \t\n'
    _perfscope_add -W "$1"
    [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

_perfscope_offer() {
    case $1 in
    words*) _perfscope_words "${1#words }" ;;
    pids) _perfscope_words "$(cd /proc && echo [0-9]*)" ;;
    runbooks)
        _perfscope_words "$(perfscope runbook list 2>/dev/null | cut -d' ' -f1)"
        _perfscope_offer files ;;
    files)
        compopt -o filenames 2>/dev/null
        _perfscope_add -f ;;
    program)
        if declare -F _command_offset >/dev/null; then _command_offset "$2"
        elif (($2 == COMP_CWORD)); then _perfscope_add -c
        else _perfscope_offer files; fi ;;
    esac
}

_perfscope() {
    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} i=2 number=1 dashes='' word=''
    COMPREPLY=()
    if ((COMP_CWORD < 2)); then
        _perfscope_words "${_perfscope_table[-]-}"
        return
    fi
    while ((i < COMP_CWORD)); do
        word=${COMP_WORDS[i]}
        if [[ $word == -- && ! $dashes ]]; then dashes=1
        elif [[ $dashes || $word != -?* ]]; then
            [[ ${_perfscope_table[$command 1]-} != program ]] || break
            ((number++))
        # bash makes three words of --option=value
        elif [[ ${COMP_WORDS[i+1]} == = ]]; then ((i += 2))
        elif [[ ${_perfscope_table[$command $word]+value} ]]; then ((i++))
        fi
        ((i++))
    done
    [[ $cur != = ]] || cur=
    if ((i > COMP_CWORD)); then _perfscope_offer "${_perfscope_table[$command $word]-}"
    elif [[ $cur == -* && ! $dashes && $i == "$COMP_CWORD" ]]; then _perfscope_words "${_perfscope_table[$command]-}"
    else _perfscope_offer "${_perfscope_table[$command $number]-${_perfscope_table[$command rest]-}}" "$i"
    fi
}
complete -F _perfscope perfscope
