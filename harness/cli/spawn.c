#include "cli/spawn.h"

#include "base/error.h"
#include "cli/say.h"
#include "run/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRY_EVERY  (100 * NOVA_MS)
#define TRY_FOR    (2 * NOVA_SEC)
#define END_WITHIN (6 * NOVA_SEC)

enum { JOB = 1, FIRST_TRY = 2 };

struct nova_spawn {
  struct nova_session *s;
  struct nova_transport *t;
  nova_ts until;
  uint64_t attempt; /* the try that is under way, 0: none */
  uint64_t next;
  bool waiting, accepted, ended, told;
  int code;
  struct nova_buf log;
  char why[256]; /* the beginning of its standard error's end */
};

/* A port that nobody listens on now. */
static uint16_t free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool good = fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &n) == 0;
  if (fd >= 0)
    close(fd);
  return good ? ntohs(a.sin_port) : 0;
}

/* --- waiting until it accepts
 * ------------------------------------------------- */

/* Where it is known by: the first of its addresses. */
static const struct nova_address *door(const struct nova_profile *p) {
  return p->tcp.host != NULL    ? &p->tcp
         : p->mqtt.host != NULL ? &p->mqtt
                                : &p->mqtts;
}

static void try_again(struct nova_spawn *p) {
  const struct nova_address *a = door(&p->s->setup->profile);
  p->attempt = p->next++;
  if (p->t->ops->connect(p->t, p->attempt, a->host, a->port, TRY_FOR) != 0)
    p->attempt = 0;
  p->t->ops->wake_at(p->t, p->t->ops->now(p->t) + TRY_EVERY);
}

static void stop_waiting(struct nova_spawn *p) {
  if (!p->waiting)
    return;
  p->waiting = false;
  p->t->ops->wake_at(p->t, NOVA_TS_NONE);
  nova_loop_stop(p->s->loop);
}

static void on_expire(void *user, nova_ts now) {
  struct nova_spawn *p = user;
  if (!p->waiting)
    return;
  if (now >= p->until)
    stop_waiting(p);
  else if (p->attempt == 0)
    try_again(p);
  else
    p->t->ops->wake_at(p->t, now + TRY_EVERY);
}

static const char *how_it_ended(int code, char out[64]) {
  if (code == NOVA_CODE_SIGNAL)
    snprintf(out, 64, "was ended by a signal");
  else if (code < 0)
    snprintf(out, 64, "could not be started");
  else
    snprintf(out, 64, "ended with status %d", code);
  return out;
}

static void on_event(void *user, const struct nova_event *e) {
  struct nova_spawn *p = user;
  if (e->kind == NOVA_EVENT_JOB) {
    p->ended = true;
    p->code = e->code;
    snprintf(p->why, sizeof p->why, "%.*s", (int)e->errors.n, e->errors.p);
    if (nova_buf_append(&p->log, e->bytes.p, e->bytes.n) == 0 &&
        e->errors.n != 0 &&
        nova_buf_puts(&p->log, "\n--- the end of its standard error ---\n") ==
            0)
      (void)nova_buf_append(&p->log, e->errors.p, e->errors.n);
    char how[64];
    if (!p->told)
      nova_screen_line(&p->s->screen, "the subject %s during the run",
                       how_it_ended(e->code, how));
    stop_waiting(p);
    if (!p->waiting && p->told)
      nova_loop_stop(p->s->loop);
    return;
  }
  if (e->id != p->attempt)
    return;
  if (e->kind == NOVA_EVENT_CONNECTED) {
    p->t->ops->close(p->t, e->id, false);
    p->accepted = true;
    p->attempt = 0;
    stop_waiting(p);
  } else if (e->kind == NOVA_EVENT_REFUSED) {
    p->attempt = 0;
  }
}

int nova_spawn_start(struct nova_session *s, struct nova_spawn **out) {
  struct nova_setup *u = s->setup;
  struct nova_profile *profile = &u->profile;
  *out = NULL;
  if (profile->tcp.host == NULL && profile->mqtt.host == NULL &&
      profile->mqtts.host == NULL)
    profile->tcp = (struct nova_address){"127.0.0.1", free_port()};
  size_t n = 0;
  while (u->spawn[n] != NULL)
    n++;
  enum nova_link_kind over = profile->tcp.host != NULL    ? NOVA_OVER_TCP
                             : profile->mqtt.host != NULL ? NOVA_OVER_MQTT
                                                          : NOVA_OVER_MQTTS;
  const char **argv = NOVA_NEW_ARRAY(&u->arena, const char *, n + 1);
  for (size_t i = 0; argv != NULL && i < n; i++) {
    const char *why = NULL;
    argv[i] = nova_command_word(&u->arena, profile, over, u->spawn[i], &why);
    if (argv[i] == NULL)
      return why != NULL ? nova_wrong("--spawn: %s", why)
                         : nova_broken("out of memory");
  }
  const char **env = nova_command_env(&u->arena, profile, over);
  struct nova_spawn *p = calloc(1, sizeof *p);
  if (argv == NULL || env == NULL || p == NULL ||
      (p->t = nova_loop_attach(s->loop)) == NULL) {
    free(p);
    return nova_broken("out of memory");
  }
  p->s = s;
  p->next = FIRST_TRY;
  nova_buf_init(&p->log, NULL, NOVA_SPAWN_OUTPUT + (64 << 10));
  p->t->handler =
      (struct nova_handler){.event = on_event, .expire = on_expire, .user = p};
  *out = p;
  struct nova_job job = {.argv = argv,
                         .env = env,
                         .timeout = NOVA_TS_NONE,
                         .output_limit = NOVA_SPAWN_OUTPUT,
                         .drain = true};
  if (p->t->ops->run(p->t, JOB, &job) != 0)
    return nova_wrong("--spawn: %s could not be started", argv[0]);
  p->waiting = true;
  p->told = true; /* while we wait, what happens is said below */
  p->until = p->t->ops->now(p->t) + NOVA_SPAWN_WAIT;
  try_again(p);
  while (p->waiting && s->signal == 0)
    nova_loop_run(s->loop);
  p->waiting = false;
  p->t->ops->wake_at(p->t, NOVA_TS_NONE);
  p->told = p->ended;
  char how[64];
  if (p->ended && p->code == NOVA_CODE_NOT_STARTED)
    return nova_wrong("--spawn: %s", p->why);
  if (p->ended)
    nova_screen_line(&s->screen,
                     "the subject %s before it accepted a connection; its "
                     "output: %s/subject.log",
                     how_it_ended(p->code, how), s->out.path);
  else if (!p->accepted && s->signal == 0)
    nova_screen_line(&s->screen,
                     "nothing accepts on %s:%u, 30 s after the "
                     "subject was started",
                     door(profile)->host, door(profile)->port);
  return 0;
}

static void write_log(struct nova_spawn *p) {
  struct nova_buf masked;
  nova_buf_init(&masked, NULL, 16 * NOVA_SPAWN_OUTPUT);
  char path[NOVA_PATH_MOST];
  nova_outdir_path(&p->s->out, "subject.log", path);
  int error = nova_mask_text(&p->s->mask, nova_buf_view(&p->log), &masked) == 0
                  ? nova_file_write(path, masked.data + masked.head, masked.len)
                  : ENOMEM;
  if (error != 0)
    nova_say("%s: %s", path, strerror(error));
  nova_buf_free(&masked);
}

void nova_spawn_kill(struct nova_spawn *p) {
  if (p != NULL && p->t != NULL) {
    nova_loop_detach(p->t);
    p->t = NULL;
  }
}

void nova_spawn_end(struct nova_spawn *p) {
  if (p == NULL)
    return;
  if (!p->ended && p->t != NULL) {
    p->told = true; /* it ends because we want it to */
    p->t->ops->stop(p->t, JOB);
    nova_ts until = p->t->ops->now(p->t) + END_WITHIN;
    while (!p->ended && p->t->ops->now(p->t) < until)
      if (!nova_loop_run_for(p->s->loop, 100 * NOVA_MS))
        continue;
  }
  write_log(p);
  nova_spawn_kill(p);
  nova_buf_free(&p->log);
  free(p);
}
