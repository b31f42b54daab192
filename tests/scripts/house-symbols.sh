#!/usr/bin/env bash
# What the libraries below net/ ask of others is on a list of functions without
# effects, and they hold no variable that can change. house-banned reads the
# sources for the same; this one reads what the compiler made of them, macros
# included. Needs a build without sanitizers.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

for folder in base codec peer conversation verdict run report; do
  library=$build/harness/$folder/libnova_$folder.a
  if [ ! -f "$library" ]; then
    complain "$library: not built"
    continue
  fi
  complain_each < <(nm -u "$library" | awk -v library="harness/$folder" '
  $1 != "U" || $2 ~ /^nova_/ { next }
  $2 ~ /^(mem(chr|cmp|cpy|mem|move|rchr|set))$/ { next }
  $2 ~ /^str(n?len|n?cmp|r?chr|c?spn|str|ftime|to[du]l*|toll?|n?casecmp|pbrk)$/ { next }
  $2 ~ /^(v?snprintf|qsort|bsearch|gmtime_r|timegm|__ctype_b_loc|round|floor)$/ { next }
  # How code that may be loaded anywhere finds its own data.
  $2 == "_GLOBAL_OFFSET_TABLE_" { next }
  # A failed assertion and nova_unreachable(): a defect of this program.
  $2 == "__assert_fail" || $2 == "abort" { next }
  # The memory of nova_mem_default().
  library == "harness/base" && $2 ~ /^(realloc|free)$/ { next }
  # Libraries that keep to themselves what they do.
  library == "harness/conversation" && $2 ~ /^fy_/ { next }
  $2 ~ /^(cJSON_|EVP_|xml)/ { next }
  { print library "/: uses " $2 ", which is not on the list" }' | sort -u)
  complain_each < <(objdump -h "$library" | awk -v library="harness/$folder" '
  /file format/ { object = $1; sub(/:$/, "", object) }
  $2 ~ /^\.(data|bss|tdata|tbss)$/ && $3 !~ /^0+$/ {
    print library "/" object ": a variable that can change (" $2 ")"
  }')
done
finish
