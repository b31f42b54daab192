# What every target of ours is compiled with.
add_library(nova_flags INTERFACE)
target_compile_options(nova_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wswitch-enum -Wvla -Wformat=2 -fno-common)
target_compile_definitions(nova_flags INTERFACE _GNU_SOURCE)
if(NOVA_WERROR)
  target_compile_options(nova_flags INTERFACE -Werror)
endif()
if(NOVA_SANITIZE)
  target_compile_options(nova_flags INTERFACE
    -fsanitize=${NOVA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(nova_flags INTERFACE -fsanitize=${NOVA_SANITIZE})
endif()
if(NOVA_COVERAGE)
  target_compile_options(nova_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(nova_flags INTERFACE -fprofile-instr-generate)
endif()

# nova_folder(NAME LIBS...): the static library nova_NAME of all .c files in the
# present folder. A new file needs no line here.
function(nova_folder name)
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  if(NOT sources)
    return()
  endif()
  add_library(nova_${name} STATIC ${sources})
  target_include_directories(nova_${name} PUBLIC ${PROJECT_SOURCE_DIR}/harness)
  target_link_libraries(nova_${name} PUBLIC ${ARGN} PRIVATE nova_flags)
endfunction()

# nova_criterion(NAME LIBS...): the Criterion program test_NAME of all *_test.c
# files in unit/NAME.
function(nova_criterion name)
  file(GLOB sources CONFIGURE_DEPENDS unit/${name}/*.c)
  if(sources)
    add_executable(test_${name} ${sources})
    target_include_directories(test_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_compile_definitions(test_${name} PRIVATE
      NOVA_SOURCE_DIR="${PROJECT_SOURCE_DIR}" NOVA_BUILD_DIR="${PROJECT_BINARY_DIR}")
    target_link_libraries(test_${name} PRIVATE ${ARGN} nova_flags PkgConfig::CRITERION)
    # Runs that go through every fault are played once: under the sanitizers they
    # would take as long as all the rest.
    if(NOVA_SANITIZE AND name STREQUAL "run")
      add_test(NAME unit-${name} COMMAND test_${name} --jobs 2 "--filter=*/!(every_*)")
    else()
      add_test(NAME unit-${name} COMMAND test_${name} --jobs 2)
    endif()
    set_tests_properties(unit-${name} PROPERTIES PROCESSORS 2)
  endif()
endfunction()
