#include "cli/options.h"

#include "base/error.h"
#include "cli/near.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct nova_option_info nova_option_table[NOVA_OPTS] = {
#define NOVA_OPTION(ID, name, letter, argument, many, help)                    \
  [NOVA_OPT_##ID] = {name, letter, argument, many, help},
#include "cli/options.def"
#undef NOVA_OPTION
};

const char *nova_options_last(const struct nova_options *o,
                              enum nova_option id) {
  return o->opt[id].n != 0 ? o->opt[id].value[o->opt[id].n - 1] : NULL;
}

static int unknown(const char *word, size_t n, uint64_t allowed, char *why,
                   size_t cap) {
  struct nova_near near;
  nova_near_init(&near, word, n);
  for (unsigned i = 0; i < NOVA_OPTS; i++)
    if ((allowed >> i & 1) != 0)
      nova_near_try(&near, nova_option_table[i].name);
  const char *best = nova_near_best(&near);
  if (best != NULL)
    snprintf(why, cap, "unknown option --%.*s; did you mean --%s?", (int)n,
             word, best);
  else
    snprintf(why, cap, "unknown option --%.*s", (int)n, word);
  return NOVA_ERR_ARGUMENT;
}

static void take(struct nova_options *o, unsigned id, const char *value) {
  o->opt[id].value[o->opt[id].n++] = value;
}

/* One long option; *used: further words that it took. */
static int read_long(struct nova_options *o, const char *word, const char *next,
                     uint64_t allowed, int *used, char *why, size_t cap) {
  size_t n = strcspn(word, "=");
  unsigned id = 0;
  while (id < NOVA_OPTS &&
         ((allowed >> id & 1) == 0 || strlen(nova_option_table[id].name) != n ||
          memcmp(nova_option_table[id].name, word, n) != 0))
    id++;
  if (id == NOVA_OPTS)
    return unknown(word, n, allowed, why, cap);
  const struct nova_option_info *info = &nova_option_table[id];
  const char *value = word[n] == '=' ? word + n + 1 : NULL;
  if (info->argument == NULL && value != NULL) {
    snprintf(why, cap, "--%s takes no value", info->name);
    return NOVA_ERR_ARGUMENT;
  }
  if (info->argument != NULL && value == NULL) {
    value = next;
    *used = 1;
  }
  if (info->argument != NULL && value == NULL) {
    snprintf(why, cap, "--%s needs a value: --%s %s", info->name, info->name,
             info->argument);
    return NOVA_ERR_ARGUMENT;
  }
  take(o, id, value != NULL ? value : "");
  return 0;
}

/* A word such as -qv or -pFILE. */
static int read_short(struct nova_options *o, const char *word,
                      const char *next, uint64_t allowed, int *used, char *why,
                      size_t cap) {
  for (const char *c = word; *c != '\0'; c++) {
    unsigned id = 0;
    while (id < NOVA_OPTS &&
           ((allowed >> id & 1) == 0 || nova_option_table[id].letter != *c))
      id++;
    if (id == NOVA_OPTS) {
      snprintf(why, cap, "unknown option -%c", *c);
      return NOVA_ERR_ARGUMENT;
    }
    const struct nova_option_info *info = &nova_option_table[id];
    if (info->argument == NULL) {
      take(o, id, "");
      continue;
    }
    const char *value = c[1] != '\0' ? c + 1 : next;
    if (value == NULL) {
      snprintf(why, cap, "-%c needs a value: -%c %s", *c, *c, info->argument);
      return NOVA_ERR_ARGUMENT;
    }
    *used = c[1] == '\0';
    take(o, id, value);
    return 0;
  }
  return 0;
}

int nova_options_read(struct nova_options *o, int argc, char *const *argv,
                      uint64_t allowed, char *why, size_t cap) {
  *o = (struct nova_options){0};
  snprintf(why, cap, "out of memory");
  /* A word can hold several letters, each its own option. */
  size_t most = 1;
  for (int i = 0; i < argc; i++)
    most += strlen(argv[i]) + 1;
  o->arg = calloc((size_t)argc + 1, sizeof *o->arg);
  if (o->arg == NULL)
    return NOVA_ERR_NO_MEMORY;
  for (unsigned i = 0; i < NOVA_OPTS; i++) {
    size_t cells =
        nova_option_table[i].argument == NULL ? most : (size_t)argc + 1;
    o->opt[i].value = calloc(cells + 1, sizeof *o->opt[i].value);
    if (o->opt[i].value == NULL)
      return NOVA_ERR_NO_MEMORY;
  }
  bool options = true;
  for (int i = 0; i < argc; i++) {
    const char *word = argv[i];
    const char *next = i + 1 < argc ? argv[i + 1] : NULL;
    int used = 0, err = 0;
    if (!options || word[0] != '-' || word[1] == '\0')
      o->arg[o->args++] = word;
    else if (strcmp(word, "--") == 0)
      options = false;
    else if (word[1] == '-')
      err = read_long(o, word + 2, next, allowed, &used, why, cap);
    else
      err = read_short(o, word + 1, next, allowed, &used, why, cap);
    if (err != 0)
      return err;
    i += used;
  }
  return 0;
}

void nova_options_free(struct nova_options *o) {
  for (unsigned i = 0; i < NOVA_OPTS; i++)
    free(o->opt[i].value);
  free(o->arg);
  *o = (struct nova_options){0};
}
