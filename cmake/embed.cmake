# Writes the files below DIR that end in .yaml as a C table, so that the program
# runs without the source tree: cmake -D DIR=specs -D OUT=x.c -P embed.cmake
file(GLOB_RECURSE files RELATIVE ${DIR} ${DIR}/*.yaml)
list(SORT files)
set(text "#include \"cli/specs_embedded.h\"\n")
set(table "")
set(count 0)
foreach(file IN LISTS files)
  file(READ ${DIR}/${file} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR bytes "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(REGEX REPLACE "(................................................................................)"
         "\\1\n" hex "${hex}")
  string(APPEND text "\nstatic const unsigned char file_${count}[] = {\n${hex}0};\n")
  string(APPEND table "    {\"${file}\", (const char *)file_${count}, ${bytes}},\n")
  math(EXPR count "${count} + 1")
endforeach()
string(APPEND text "\nconst struct nova_spec_file nova__specs_embedded[] = {\n${table}    {0, 0, 0}};\n"
       "const size_t nova__specs_embedded_n = ${count};\n")
file(WRITE ${OUT} "${text}")
