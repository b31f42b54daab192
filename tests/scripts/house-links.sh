#!/usr/bin/env bash
# Every link of the documents leads to a file that is there, and to a heading of
# it where one is named.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

# The anchors that a page of Markdown has, one a line.
anchors() {
  # shellcheck disable=SC2016 # the backquotes are Markdown's
  sed -n '/^```/,/^```/d; s/^#\{1,6\} *//p' "$1" | tr '[:upper:]' '[:lower:]' |
    sed 's/[^[:alnum:] _-]//g; s/ /-/g'
}

while IFS= read -r page; do
  folder=$(dirname "$page")
  while IFS=: read -r line target; do
    case $target in
    http://* | https://* | mailto:*) continue ;;
    esac
    path=${target%%#*}
    anchor=${target#"$path"}
    anchor=${anchor#\#}
    file=${path:+$folder/$path}
    file=${file:-$page}
    if [ ! -e "$file" ]; then
      complain "$page:$line: leads nowhere: $target"
    elif [ -n "$anchor" ] && ! anchors "$file" | grep -qxF -- "$anchor"; then
      complain "$page:$line: $path has no heading #$anchor"
    fi
  done < <(awk '
  /^```/ { code = !code }
  !code {
    text = $0
    gsub(/`[^`]*`/, "", text)
    while (match(text, /\]\([^) ]+\)/)) {
      print FNR ":" substr(text, RSTART + 2, RLENGTH - 3)
      text = substr(text, RSTART + RLENGTH)
    }
  }' "$page")
done < <(files '*.md')
finish
