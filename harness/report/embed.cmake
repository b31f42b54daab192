# cmake -DOUT=page_data.c -DDIR=reports/page -P embed.cmake
# Writes the page's three files as C arrays, so that the program needs no file.
set(text "/* Made from reports/page/ by embed.cmake. */\n#include \"report/page.h\"\n\n")
set(files template.html style.css page.js)
foreach(name template style script)
  list(POP_FRONT files file)
  file(READ "${DIR}/${file}" hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND text
    "static const unsigned char ${name}[] = {${bytes}};\n"
    "const struct nova_view nova__page_${name} = {(const char *)${name},\n"
    "                                            sizeof ${name}};\n\n")
endforeach()
file(WRITE "${OUT}" "${text}")
