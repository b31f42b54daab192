/* The lobby: a device that is operated by hand connects when it likes, and
 * where there are several of them only the id in its first line says which one
 * it is. What arrives meanwhile is kept with its times. */
#include "run/state.h"

#include "base/error.h"
#include "codec/json.h"
#include "codec/mqtt.h"

#define GUESTS_MOST 64
#define BYTES_MOST  ((size_t)64 << 10)
#define EVENTS_MOST ((size_t)8 << 10)
#define LINE_MOST   ((size_t)16 << 10)
/* Whoever belongs to nobody is sent away. */
#define STAY_MOST (30 * NOVA_SEC)

struct heard {
  struct heard *next;
  struct nova_event event;
  char bytes[];
};

struct nova__guest {
  struct nova__guest *next;
  struct nova_event came;
  struct heard *heard, **tail;
  size_t bytes, events;
  bool paused, gone;
  bool shaken; /* its handshake is the lobby's */
};

static enum nova_link_kind door(const struct nova__guest *g) {
  return nova__listener_over(g->came.listener);
}

static void remove_guest(struct nova_run *r, struct nova__guest *g) {
  struct nova__guest **link = &r->guest;
  while (*link != NULL && *link != g)
    link = &(*link)->next;
  if (*link == NULL)
    return;
  *link = g->next;
  if (g->next == NULL)
    r->guest_tail = link;
  r->guests--;
  while (g->heard != NULL) {
    struct heard *next = g->heard->next;
    nova_mem_free(r->o.mem, g->heard);
    g->heard = next;
  }
  nova_mem_free(r->o.mem, g);
}

static void send_away(struct nova_run *r, struct nova__guest *g) {
  if (!g->gone)
    r->o.transport->ops->close(r->o.transport, g->came.id, true);
  remove_guest(r, g);
}

void nova__lobby_free(struct nova_run *r) {
  while (r->guest != NULL)
    send_away(r, r->guest);
}

void nova__lobby_enter(struct nova_run *r, const struct nova_event *e) {
  struct nova__guest *g = nova_mem_zalloc(r->o.mem, sizeof *g);
  if (g == NULL || r->over) {
    nova_mem_free(r->o.mem, g);
    r->o.transport->ops->close(r->o.transport, e->id, true);
    return;
  }
  if (r->guests == GUESTS_MOST)
    send_away(r, r->guest);
  g->came = *e;
  g->tail = &g->heard;
  *r->guest_tail = g;
  r->guest_tail = &g->next;
  r->guests++;
  if (door(g) != NOVA_OVER_MQTTS)
    return;
  /* What comes over TLS is the handshake. Where there is one device only, its
   * conversation begins it; of several, what is inside tells which one it is.
   */
  g->shaken = r->profile.devices != 1;
  g->paused = !g->shaken;
  if (g->paused)
    r->o.transport->ops->pause(r->o.transport, e->id, true);
  else if (nova__begin_tls_at(r, e->id) != 0)
    send_away(r, g);
}

static struct nova__planned *owner(struct nova_run *r,
                                   const struct nova__guest *g);

bool nova__lobby_event(struct nova_run *r, const struct nova_event *e) {
  struct nova__guest *g = r->guest;
  while (g != NULL && (g->came.id != e->id || e->kind == NOVA_EVENT_JOB))
    g = g->next;
  if (g == NULL)
    return false;
  bool told = e->kind == NOVA_EVENT_SECURED;
  size_t n = e->kind == NOVA_EVENT_BYTES || told ? e->bytes.n : 0;
  bool ends = e->kind == NOVA_EVENT_EOF || e->kind == NOVA_EVENT_RESET;
  g->gone |= e->kind == NOVA_EVENT_RESET;
  /* A port was only looked at; or nobody had time for it, and it went as it has
   * to: what would be played with it would blame it for that. */
  if (e->kind == NOVA_EVENT_INSECURE ||
      (ends && (g->bytes == 0 || owner(r, g) == NULL))) {
    send_away(r, g);
    return true;
  }
  struct heard *h = nova_mem_alloc(r->o.mem, sizeof *h + n);
  if (h == NULL) {
    send_away(r, g);
    return true;
  }
  h->next = NULL;
  h->event = *e;
  h->event.bytes = (struct nova_view){h->bytes, n};
  if (n != 0)
    memcpy(h->bytes, e->bytes.p, n);
  *g->tail = h;
  g->tail = &h->next;
  g->bytes += told ? 0 : n;
  g->events++;
  g->gone |= e->kind == NOVA_EVENT_RESET;
  if ((g->bytes > BYTES_MOST || g->events > EVENTS_MOST) && !g->paused &&
      !g->gone) {
    g->paused = true;
    r->o.transport->ops->pause(r->o.transport, e->id, true);
  }
  /* A line that goes on tells no more of whose it is. */
  if (n == 0 || g->bytes > LINE_MOST || door(g) != NOVA_OVER_TCP ||
      memchr(e->bytes.p, '\n', n) != NULL)
    nova__lobby_sort(r);
  return true;
}

/* --- whose is it?
 * --------------------------------------------------------------
 */

static void take_text(struct nova_view v, char out[256]) {
  if (v.n != 0 && v.n < 256) {
    memcpy(out, v.p, v.n);
    out[v.n] = '\0';
  }
}

/* The device_id of a line. */
static void line_id(const struct nova_run *r, struct nova_view text,
                    char out[256]) {
  struct nova_json *json = nova_json_new(r->o.mem, LINE_MOST, 64);
  struct nova_json_value v;
  if (json != NULL &&
      nova_json_check(json, text.n != 0 ? text.p : "", text.n, &v, NULL) == 0 &&
      v.type == NOVA_JSON_OBJECT) {
    struct nova_json_value id = nova_json_get(v, nova_view_of("device_id"));
    size_t n =
        id.type == NOVA_JSON_STRING ? nova_json_string(id, NULL, 0) : 256;
    if (n < 256) {
      nova_json_string(id, out, n);
      out[n] = '\0';
    }
  }
  nova_json_free(json);
}

/* Whether the first message is there whole; |end|: its length. */
static bool is_whole(enum nova_link_kind over, struct nova_view text,
                     size_t *end) {
  if (over == NOVA_OVER_TCP) {
    const char *feed = text.n != 0 ? memchr(text.p, '\n', text.n) : NULL;
    *end = feed != NULL ? (size_t)(feed - text.p) : 0;
    return feed != NULL;
  }
  struct nova_mqtt_header h;
  int got = nova_mqtt_header_read(text.p, text.n, &h);
  *end = got == NOVA_MQTT_PACKET ? h.size + h.remaining : 0;
  return got < 0 || (got == NOVA_MQTT_PACKET && text.n >= *end);
}

/* The device id of the first message, in |out|: of a line, or of a CONNECT's
 * user name. False where it is not there yet; an empty id where it has none. */
static bool first_id(const struct nova_run *r, const struct nova__guest *g,
                     char out[256]) {
  struct nova_buf text;
  nova_buf_init(&text, r->o.mem, LINE_MOST);
  bool whole = false;
  size_t end = 0;
  out[0] = '\0';
  for (const struct heard *h = g->heard; h != NULL && !whole; h = h->next) {
    struct nova_view v = h->event.bytes;
    if (v.n == 0 || h->event.kind != NOVA_EVENT_BYTES)
      continue;
    /* What is too long for a first message is whole enough. */
    whole = nova_buf_append(&text, v.p, v.n) != 0 ||
            is_whole(door(g), nova_buf_view(&text), &end);
  }
  struct nova_view first = nova_buf_view(&text);
  struct nova_mqtt m;
  if (whole && door(g) == NOVA_OVER_TCP)
    line_id(r, (struct nova_view){first.p, end}, out);
  else if (whole && end != 0 && end <= first.n &&
           nova_mqtt_decode(first.p, end, &m, NULL) == 0 &&
           m.type == NOVA_MQTT_CONNECT)
    take_text(m.u.connect.user_name, out);
  nova_buf_free(&text);
  return whole;
}

static struct nova__planned *of_device(struct nova_run *r, const char *id,
                                       enum nova_link_kind over) {
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].state == NOVA__ACTIVE && r->plan[i].over == over &&
        r->plan[i].result.device != NULL &&
        strcmp(r->plan[i].result.device, id) == 0)
      return &r->plan[i];
  return NULL;
}

/* The conversation that has waited the longest for a first connection. */
static struct nova__planned *longest(struct nova_run *r,
                                     enum nova_link_kind over) {
  struct nova__planned *found = NULL;
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].state == NOVA__ACTIVE && r->plan[i].over == over &&
        r->plan[i].accepted == 0 &&
        (found == NULL || r->plan[i].t0 < found->t0))
      found = &r->plan[i];
  return found;
}

/* How long a first line is waited for. */
static nova_ts patience(const struct nova_run *r) {
  const struct nova_timers *t = &r->profile.timers;
  nova_ts auth = t->span[NOVA_TIMER_auth_timeout];
  return nova_ts_add(auth, nova_timers_tolerance(t, auth));
}

static bool is_silent(const struct nova_run *r, const struct nova__guest *g) {
  return nova__now(r) >= nova_ts_add(g->came.t, patience(r));
}

/* The credential of a guest; SIZE_MAX where it is not known. */
static size_t credential_of(const struct nova_run *r,
                            const struct nova__guest *g) {
  char id[256];
  if (r->profile.devices == 1)
    return 0;
  if (first_id(r, g, id))
    for (size_t i = 0; i < r->profile.devices; i++)
      if (strcmp(r->profile.device[i].id, id) == 0)
        return i;
  return SIZE_MAX;
}

/* Whether conversations of its door can have it at once: it is known as far as
 * it will be, and its device is not in the middle of another one. */
static bool is_pressing(const struct nova_run *r, const struct nova__guest *g) {
  char id[256];
  if (g->gone ||
      (r->profile.devices != 1 && !first_id(r, g, id) && !is_silent(r, g)))
    return false;
  size_t who = credential_of(r, g);
  if (who == SIZE_MAX)
    return true;
  if ((r->absent[who] & 1u << door(g)) != 0)
    return false;
  for (size_t i = 0; i < r->planned; i++)
    if (r->plan[i].state == NOVA__ACTIVE && r->plan[i].device == who &&
        r->plan[i].accepted != 0)
      return false;
  return true;
}

/* Whether somebody at the favoured door is still to be served: doors that took
 * turns without it would never come to an end. */
static bool is_attended(const struct nova_run *r) {
  for (const struct nova__guest *g = r->guest; g != NULL; g = g->next) {
    if (!r->favoured[door(g)] || !is_pressing(r, g))
      continue;
    for (size_t i = 0; i < r->planned; i++)
      if (r->plan[i].over == door(g) &&
          (r->plan[i].state == NOVA__WAITING ||
           (r->plan[i].state == NOVA__ACTIVE && r->plan[i].accepted == 0)))
        return true;
  }
  return false;
}

/* A device came to a door that no conversation under way watches, while others
 * wait at theirs for a device that has not come: what waits for it there is
 * played first. */
static void favour(struct nova_run *r, enum nova_link_kind over) {
  bool wanted = false;
  for (size_t i = 0; i < r->planned; i++)
    wanted |= r->plan[i].state == NOVA__WAITING && r->plan[i].over == over;
  if (!wanted || r->favoured[over] || is_attended(r))
    return;
  memset(r->favoured, 0, sizeof r->favoured);
  r->favoured[over] = true;
  for (size_t i = 0; i < r->planned; i++) {
    struct nova__planned *p = &r->plan[i];
    if (p->state == NOVA__ACTIVE && p->over != over && p->accepted == 0)
      nova__put_back(r, p);
  }
}

static struct nova__planned *owner(struct nova_run *r,
                                   const struct nova__guest *g) {
  enum nova_link_kind over = door(g);
  if (r->profile.devices == 1)
    return of_device(r, r->profile.device[0].id, over);
  char id[256];
  if (first_id(r, g, id)) {
    for (size_t i = 0; i < r->profile.devices; i++)
      if (strcmp(r->profile.device[i].id, id) == 0)
        return of_device(r, id, over);
    return longest(r, over); /* an id that is nobody's: its rule will tell */
  }
  return is_silent(r, g) ? longest(r, over) : NULL;
}

static void hand_over(struct nova_run *r, struct nova__guest *g,
                      struct nova__planned *p) {
  struct nova__link *link = nova__link_free(p);
  if (link == NULL) {
    send_away(r, g);
    return;
  }
  unsigned number = ++p->accepted;
  *link = (struct nova__link){r->o.transport, g->came.id, number, g->shaken};
  if (g->paused)
    r->o.transport->ops->pause(r->o.transport, g->came.id, false);
  nova__feed(p, g->came, number);
  for (const struct heard *h = g->heard;
       h != NULL && nova__link_number(p, number) != NULL; h = h->next) {
    nova__feed(p, h->event, number);
    if (h->event.kind == NOVA_EVENT_RESET)
      nova__link_number(p, number)->id = 0;
  }
  remove_guest(r, g);
  nova__drain(r, p);
}

void nova__lobby_sort(struct nova_run *r) {
  /* Handing over can end a conversation, and free guests: from the start. */
  for (bool again = true; again;) {
    again = false;
    for (struct nova__guest *g = r->guest; g != NULL && !again; g = g->next) {
      struct nova__planned *p = owner(r, g);
      if (p == NULL && is_pressing(r, g))
        favour(r, door(g));
      bool late = nova__now(r) >= nova_ts_add(g->came.t, STAY_MOST);
      if (p != NULL && !(g->gone && g->bytes == 0))
        hand_over(r, g, p);
      else if (g->gone || (p == NULL && late))
        send_away(r, g);
      else
        continue;
      again = true;
    }
  }
}

nova_ts nova__lobby_deadline(const struct nova_run *r) {
  nova_ts next = NOVA_TS_NONE, t = nova__now(r);
  for (const struct nova__guest *g = r->guest; g != NULL; g = g->next) {
    nova_ts silent = nova_ts_add(g->came.t, patience(r));
    nova_ts late = nova_ts_add(g->came.t, STAY_MOST);
    next = nova_ts_min(next, silent > t ? silent : late);
  }
  return next;
}
