# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for bridgewarden(1). Asks no daemon.

_bridgewarden() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' word i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == --runtime-dir ]]; then
			((i++))
		elif [[ $word != -* ]]; then
			command=$word
			break
		fi
	done
	case $prev in
	--runtime-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--policy | --ids)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--verdict)
		mapfile -t COMPREPLY < <(compgen -W "allow deny pending" -- "$cur")
		return
		;;
	-o)
		mapfile -t COMPREPLY < <(compgen -W "table json" -- "$cur")
		return
		;;
	--app)
		mapfile -t COMPREPLY < <(compgen -W "http mysql postgres redis dns tls" -- "$cur")
		return
		;;
	--since)
		mapfile -t COMPREPLY < <(compgen -W "1m 5m 1h 1d" -- "$cur")
		return
		;;
	esac
	case $command in
	"") word="status flows ids explain reload policy replay help --runtime-dir --help --version" ;;
	flows) word="--from --to --app --rule --verdict --not --since --follow --limit -o --runtime-dir" ;;
	explain) word="--policy -o --runtime-dir" ;;
	replay)
		mapfile -t COMPREPLY < <(compgen -W "--policy --ids --checksums -o" -- "$cur"; compgen -f -- "$cur")
		return
		;;
	policy)
		if [[ $prev == policy ]]; then
			word="check test print schema"
		else
			mapfile -t COMPREPLY < <(compgen -W "--strict" -- "$cur"; compgen -f -- "$cur")
			return
		fi
		;;
	status | ids | reload) word="-o --runtime-dir" ;;
	help) word="status flows ids explain reload policy replay" ;;
	*) word= ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
}

complete -o filenames -F _bridgewarden bridgewarden
