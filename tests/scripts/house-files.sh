#!/usr/bin/env bash
# What every file keeps to: a size, an include guard, no marks for later, no
# paths of one machine, clean line ends; and requirements that are named once.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

# A file is one concept: 1000 lines at most, tables excepted.
while IFS= read -r name; do
  lines=$(wc -l <"$name")
  [ "$lines" -le 1000 ] || complain "$name:$lines: more than 1000 lines"
done < <(files 'harness/*.[ch]' 'tests/*.[ch]' 'tests/*.py' 'tests/*.sh' \
  'bench/*.[ch]' 'tools/*' 'fuzz/*.[ch]' 'examples/*.[ch]')

# harness/codec/json.h: NOVA_CODEC_JSON_H.
while IFS= read -r name; do
  guard=NOVA_$(printf %s "${name#harness/}" | tr 'a-z/.' 'A-Z__')
  if ! grep -qx "#ifndef $guard" "$name" || ! grep -qx "#define $guard" "$name"; then
    complain "$name:1: the include guard is not $guard"
  fi
done < <(files 'harness/*.h')

mapfile -t text < <(files '*' | grep -vE '\.(png|gz|bin|ico|woff2)$' |
  grep -vE '^(corpus|fuzz/corpus|tests/data)/')
complain_each < <(grep -nHIE '\b(TOD[O]|FIXM[E]|XX[X])\b' -- "${text[@]}" |
  sed 's/^\([^:]*:[0-9]*\):.*/\1: a mark for later; make an issue of it/')
complain_each < <(grep -nHIE '(^|[^A-Za-z0-9_.])/(wor[k]|hom[e]|roo[t]|User[s])/' \
  -- "${text[@]}" | sed 's/^\([^:]*:[0-9]*\):.*/\1: a path of one machine/')
complain_each < <(grep -nHIE '[[:blank:]]+$' -- "${text[@]}" |
  grep -vE '\.(md|json):' | sed 's/^\([^:]*:[0-9]*\):.*/\1: blanks at the end/')
for name in "${text[@]}"; do
  if [ -s "$name" ] && [ -n "$(tail -c 1 "$name" | tr -d '\n\0')" ]; then
    complain "$name: no line feed at the end"
  fi
done

# What executes says with what.
while IFS= read -r name; do
  [ ! -x "$name" ] || head -c 2 "$name" | grep -q '^#!' ||
    complain "$name:1: is executable and has no #! line"
done < <(files '*')

ids=$(sed -n 's/^- id: *//p' specs/requirements.yaml)
count=$(printf '%s\n' "$ids" | wc -l)
[ "$count" -eq 112 ] ||
  complain "specs/requirements.yaml: $count requirements, the guide gives 112"
complain_each < <(printf '%s\n' "$ids" | sort | uniq -d |
  sed 's/.*/specs\/requirements.yaml: & is there twice/')
finish
