#!/usr/bin/env bash
# Below net/ nothing touches the world: no socket, file, clock, thread,
# randomness, environment, output or exit. Time and bytes come in as arguments,
# so that the same code runs on sockets, on the simulated network and in a
# device. Memory comes from a nova_mem. (house-symbols asks the linker the same.)
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

sources=()
for folder in base codec peer conversation verdict run report; do
  mapfile -t more < <(files "harness/$folder/*.c" "harness/$folder/*.h" \
    "harness/$folder/*.def")
  sources+=("${more[@]}")
done
[ "${#sources[@]}" -gt 0 ] || complain "harness/: no sources"

complain_each < <(awk '
function ban(what, names,   i, n, name) {
  n = split(names, name)
  for (i = 1; i <= n; i++)
    why[name[i]] = what
}
BEGIN {
  ban("socket", "socket socketpair connect bind listen accept accept4 send " \
      "sendto sendmsg recv recvfrom recvmsg select poll epoll_wait " \
      "getaddrinfo setsockopt")
  ban("file", "open openat creat fopen freopen fdopen read write pread pwrite " \
      "fread fwrite close fclose unlink remove rename mkdir opendir stat " \
      "tmpfile mkstemp")
  ban("clock", "time clock clock_gettime gettimeofday timespec_get localtime " \
      "localtime_r nanosleep sleep usleep alarm setitimer")
  ban("randomness", "rand srand random srandom drand48 getrandom arc4random")
  ban("output", "printf vprintf puts putchar fprintf vfprintf fputs fputc " \
      "putc perror dprintf")
  ban("process", "exit _exit _Exit quick_exit atexit abort raise kill signal " \
      "sigaction fork execv execve execvp posix_spawn system popen")
  ban("environment", "getenv setenv putenv setlocale")
  ban("thread", "pthread_create pthread_mutex_lock thrd_create call_once")
  ban("memory that is not from a nova_mem", "malloc calloc realloc free " \
      "reallocarray strdup strndup asprintf vasprintf alloca")
  ban("hidden state", "strtok strerror gmtime ctime asctime")
  ban("unbounded", "gets strcpy strcat sprintf vsprintf scanf sscanf")
  header["<sys/socket.h>"] = header["<netdb.h>"] = header["<uv.h>"] = 1
  header["<unistd.h>"] = header["<fcntl.h>"] = header["<pthread.h>"] = 1
  header["<threads.h>"] = header["<signal.h>"] = header["<sys/time.h>"] = 1
  header["<sys/stat.h>"] = header["<dirent.h>"] = header["<locale.h>"] = 1
  # The two places that are there for it.
  allow["harness/base/unreachable.h abort"] = 1
  allow["harness/base/mem.c realloc"] = allow["harness/base/mem.c free"] = 1
}
FNR == 1 { comment = 0 }
{
  line = $0
  if (!comment && match(line, /^[ \t]*#[ \t]*include[ \t]*<[^>]*>/)) {
    name = line
    sub(/^[^<]*/, "", name)
    sub(/>.*/, ">", name)
    if (name in header)
      print FILENAME ":" FNR ": " name " below net/"
  }
  # Strings and comments say what they like.
  if (!comment)
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
  text = ""
  while (line != "")
    if (comment) {
      at = index(line, "*/")
      if (at == 0)
        break
      line = substr(line, at + 2)
      comment = 0
    } else {
      at = index(line, "/*")
      if (at == 0) {
        text = text line
        break
      }
      text = text substr(line, 1, at - 1) " "
      line = substr(line, at + 2)
      comment = 1
    }
  # A call, and not a member of that name (mem->free(...), t->send(...)).
  while (match(text, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
    before = RSTART > 1 ? substr(text, RSTART - 1, 1) : " "
    name = substr(text, RSTART, RLENGTH - 1)
    sub(/[ \t]+$/, "", name)
    if (before != "." && before != ">" && name in why &&
        !((FILENAME " " name) in allow))
      print FILENAME ":" FNR ": " name "() below net/ (" why[name] ")"
    text = substr(text, RSTART + RLENGTH)
  }
}' "${sources[@]}" /dev/null)
finish
