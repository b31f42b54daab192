/* Packets into calls of libmosquitto, and what it reports into packets. */
#include "net/library_internal.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The library takes strings that end in NUL. NULL without memory. */
static char *text_of(struct nova__library_client *c, struct nova_view v) {
  char *s = nova_mem_alloc(c->library->mem, v.n + 1);
  if (s == NULL)
    return NULL;
  if (v.n != 0)
    memcpy(s, v.p, v.n);
  s[v.n] = '\0';
  return s;
}

/* What the library's errors are to a user. */
static int result(struct nova__library_client *c, int rc) {
  switch (rc) {
  case MOSQ_ERR_SUCCESS: return 0;
  case MOSQ_ERR_NOMEM: return NOVA_ERR_NO_MEMORY;
  case MOSQ_ERR_INVAL:
  case MOSQ_ERR_MALFORMED_UTF8:
  case MOSQ_ERR_PAYLOAD_SIZE:
  case MOSQ_ERR_NOT_SUPPORTED:
  case MOSQ_ERR_OVERSIZE_PACKET: return NOVA_ERR_ARGUMENT;
  default: /* the connection: told behind what came before */
    c->lost = rc;
    return 0;
  }
}

/* Reports. They come from inside calls into the library: what they make is told
 * later. */

static void tell_packet(struct nova__library_client *c,
                        const struct nova_mqtt *m) {
  size_t size = 0, length = 0;
  char *p = NULL;
  if (nova_mqtt_size(m, NOVA_MQTT_ANYWAY, &size) == 0)
    p = nova_buf_reserve(&c->told, size);
  if (p == NULL || nova_mqtt_encode(m, NOVA_MQTT_ANYWAY, p, size, &length) != 0)
    c->overflow = true;
  else
    nova_buf_commit(&c->told, length);
  nova__later_ask(c->library->loop, &c->later);
}

static void tell_ack(struct nova__library_client *c, enum nova_mqtt_type type,
                     uint16_t packet_id) {
  tell_packet(c, &(struct nova_mqtt){.type = type, .u.ack = {packet_id}});
}

static void on_connect(struct mosquitto *mosq, void *user, int code,
                       int flags) {
  struct nova__library_client *c = user;
  (void)mosq;
  c->connacked = true;
  tell_packet(
      c, &(struct nova_mqtt){.type = NOVA_MQTT_CONNACK,
                             .u.connack = {(flags & 1) != 0, (uint8_t)code}});
}

static void on_disconnect(struct mosquitto *mosq, void *user, int rc) {
  struct nova__library_client *c = user;
  (void)mosq;
  if (rc == 0)
    c->eof_due = true;
  else if (c->lost == 0)
    c->lost = rc;
  nova__later_ask(c->library->loop, &c->later);
}

static void on_message(struct mosquitto *mosq, void *user,
                       const struct mosquitto_message *message) {
  struct nova_mqtt m = {.type = NOVA_MQTT_PUBLISH};
  struct nova_mqtt_publish *p = &m.u.publish;
  (void)mosq;
  p->retain = message->retain;
  p->qos = (uint8_t)message->qos;
  p->packet_id = message->qos != 0 ? (uint16_t)message->mid : 0;
  p->topic = nova_view_of(message->topic);
  p->payload = (struct nova_view){
      message->payload,
      (size_t)(message->payloadlen > 0 ? message->payloadlen : 0)};
  tell_packet(user, &m);
}

/* The wait that |mid| is part of, with its entry; NULL for none. */
static struct nova__library_wait *find_wait(struct nova__library_client *c,
                                            enum nova_mqtt_type type, int mid,
                                            size_t *entry) {
  for (struct nova__library_wait *x = c->waits; x != NULL; x = x->next)
    for (size_t i = 0; x->type == type && i < x->count; i++)
      if (x->entry[i].mid == mid) {
        *entry = i;
        return x;
      }
  return NULL;
}

static void drop_wait(struct nova__library_client *c,
                      struct nova__library_wait *x) {
  struct nova__library_wait **at = &c->waits;
  while (*at != x)
    at = &(*at)->next;
  *at = x->next;
  nova_mem_free(c->library->mem, x);
}

static void on_publish(struct mosquitto *mosq, void *user, int mid) {
  struct nova__library_client *c = user;
  size_t i;
  struct nova__library_wait *x = find_wait(c, NOVA_MQTT_PUBLISH, mid, &i);
  (void)mosq;
  if (x == NULL)
    return; /* QoS 0 */
  /* The user's own PUBREL is answered by PUBCOMP. */
  tell_ack(c, x->qos == 1 ? NOVA_MQTT_PUBACK : NOVA_MQTT_PUBREC, x->packet_id);
  drop_wait(c, x);
}

static void on_subscribe(struct mosquitto *mosq, void *user, int mid, int count,
                         const int *granted) {
  struct nova__library_client *c = user;
  struct nova_mqtt_entry *entry;
  size_t i;
  struct nova__library_wait *x = find_wait(c, NOVA_MQTT_SUBSCRIBE, mid, &i);
  (void)mosq;
  if (x == NULL)
    return;
  for (int k = 0; k < count && i < x->count && x->entry[i].mid == mid; k++) {
    x->entry[i].mid = -1;
    x->entry[i++].code = (uint8_t)granted[k];
    x->left--;
  }
  if (x->left != 0)
    return;
  entry = nova_mem_zalloc(c->library->mem, x->count * sizeof *entry);
  if (entry == NULL) {
    c->overflow = true;
    nova__later_ask(c->library->loop, &c->later);
    return;
  }
  for (i = 0; i < x->count; i++)
    entry[i].code = x->entry[i].code;
  tell_packet(c, &(struct nova_mqtt){.type = NOVA_MQTT_SUBACK,
                                     .u.list = {.packet_id = x->packet_id,
                                                .count = x->count,
                                                .entry = entry}});
  nova_mem_free(c->library->mem, entry);
  drop_wait(c, x);
}

static void on_unsubscribe(struct mosquitto *mosq, void *user, int mid) {
  struct nova__library_client *c = user;
  size_t i;
  struct nova__library_wait *x = find_wait(c, NOVA_MQTT_UNSUBSCRIBE, mid, &i);
  (void)mosq;
  if (x == NULL)
    return;
  tell_ack(c, NOVA_MQTT_UNSUBACK, x->packet_id);
  drop_wait(c, x);
}

static void on_log(struct mosquitto *mosq, void *user, int level,
                   const char *text) {
  struct nova__library_client *c = user;
  (void)mosq;
  if (level != MOSQ_LOG_ERR)
    return;
  size_t n = strlen(text);
  if (n >= sizeof c->error)
    n = sizeof c->error - 1;
  for (size_t i = 0; i < n; i++)
    c->error[i] = text[i] == '"' || text[i] == '\\' ? '\''
                  : text[i] < ' ' || text[i] > '~'  ? '?'
                                                    : text[i];
  c->error[n] = '\0';
}

/* CONNECT. */

/* |pem| as a file that only we can read; |path| gets its name, "" for an empty
 * one. */
static bool put_file(const struct nova_buf *pem, char path[64]) {
  static const char pattern[] = "/tmp/novaprobe-XXXXXX";
  struct nova_view v = nova_buf_view(pem);
  path[0] = '\0';
  if (v.n == 0)
    return true;
  memcpy(path, pattern, sizeof pattern);
  int fd = mkstemp(path);
  if (fd < 0) {
    path[0] = '\0';
    return false;
  }
  bool good = write(fd, v.p, v.n) == (ssize_t)v.n;
  close(fd);
  return good;
}

static const char *or_null(const char *s) {
  return s[0] != '\0' ? s : NULL;
}

/* The library reads the files as it connects. */
static int connect_with_files(struct nova__library_client *c) {
  char path[3][64] = {"", "", ""};
  bool good = true;
  int rc = MOSQ_ERR_SUCCESS;
  for (size_t i = 0; c->secure && i < 3; i++)
    good = put_file(&c->pem[i], path[i]) && good;
  if (!good)
    rc = MOSQ_ERR_NOMEM;
  if (rc == MOSQ_ERR_SUCCESS && c->secure && path[0][0] == '\0')
    rc = mosquitto_int_option(c->mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
  if (rc == MOSQ_ERR_SUCCESS && c->secure)
    rc = mosquitto_tls_set(c->mosq, or_null(path[0]), NULL, or_null(path[1]),
                           or_null(path[2]), NULL);
  if (rc == MOSQ_ERR_SUCCESS && c->secure)
    rc = mosquitto_tls_opts_set(c->mosq, 1, c->versions, NULL);
  if (rc == MOSQ_ERR_SUCCESS)
    rc = mosquitto_connect_async(c->mosq, c->host, c->port, c->keep_alive);
  for (size_t i = 0; i < 3; i++)
    if (path[i][0] != '\0')
      unlink(path[i]);
  return rc;
}

static int set_login(struct nova__library_client *c,
                     const struct nova_mqtt_connect *m) {
  if (m->user_name.p == NULL)
    return 0;
  if (m->password.n != 0 && memchr(m->password.p, '\0', m->password.n) != NULL)
    return NOVA_ERR_ARGUMENT;
  char *name = text_of(c, m->user_name);
  char *password = m->password.p != NULL ? text_of(c, m->password) : NULL;
  int err = NOVA_ERR_NO_MEMORY;
  if (name != NULL && (password != NULL || m->password.p == NULL))
    err = result(c, mosquitto_username_pw_set(c->mosq, name, password));
  nova_mem_free(c->library->mem, name);
  nova_mem_free(c->library->mem, password);
  return err;
}

static int set_will(struct nova__library_client *c,
                    const struct nova_mqtt_connect *m) {
  if (m->will_topic.p == NULL)
    return 0;
  char *topic = text_of(c, m->will_topic);
  int err = NOVA_ERR_NO_MEMORY;
  if (topic != NULL)
    err = result(
        c, mosquitto_will_set(c->mosq, topic, (int)m->will_message.n,
                              m->will_message.n != 0 ? m->will_message.p : NULL,
                              m->will_qos, m->will_retain));
  nova_mem_free(c->library->mem, topic);
  return err;
}

static int say_connect(struct nova__library_client *c,
                       const struct nova_mqtt_connect *m) {
  if (m->client_id.n == 0 && !m->clean_session)
    return NOVA_ERR_ARGUMENT;
  if (m->keep_alive != 0 && m->keep_alive < 5)
    return NOVA_ERR_ARGUMENT;
  char *id = m->client_id.n != 0 ? text_of(c, m->client_id) : NULL;
  if (id == NULL && m->client_id.n != 0)
    return NOVA_ERR_NO_MEMORY;
  c->mosq = mosquitto_new(id, m->clean_session, c);
  nova_mem_free(c->library->mem, id);
  if (c->mosq == NULL)
    return NOVA_ERR_NO_MEMORY;
  mosquitto_connect_with_flags_callback_set(c->mosq, on_connect);
  mosquitto_disconnect_callback_set(c->mosq, on_disconnect);
  mosquitto_message_callback_set(c->mosq, on_message);
  mosquitto_publish_callback_set(c->mosq, on_publish);
  mosquitto_subscribe_callback_set(c->mosq, on_subscribe);
  mosquitto_unsubscribe_callback_set(c->mosq, on_unsubscribe);
  mosquitto_log_callback_set(c->mosq, on_log);
  (void)mosquitto_int_option(c->mosq, MOSQ_OPT_TCP_NODELAY, 1);
  (void)mosquitto_max_inflight_messages_set(c->mosq, 0);
  c->keep_alive = m->keep_alive;
  int err = set_login(c, m);
  if (err == 0)
    err = set_will(c, m);
  if (err == 0) {
    int rc = connect_with_files(c);
    err = result(c, rc);
    nova__library_look(c, rc);
  }
  if (err != 0) {
    mosquitto_destroy(c->mosq);
    c->mosq = NULL;
  }
  return err;
}

/* The others. */

static struct nova__library_wait *wait_new(struct nova__library_client *c,
                                           enum nova_mqtt_type type,
                                           uint16_t packet_id, size_t count) {
  struct nova__library_wait *x =
      nova_mem_zalloc(c->library->mem, sizeof *x + count * sizeof x->entry[0]);
  if (x == NULL)
    return NULL;
  x->type = type;
  x->packet_id = packet_id;
  x->left = x->count = count;
  for (size_t i = 0; i < count; i++)
    x->entry[i].mid = -1;
  x->next = c->waits;
  c->waits = x;
  return x;
}

static int say_publish(struct nova__library_client *c,
                       const struct nova_mqtt_publish *m) {
  int mid = 0;
  struct nova__library_wait *x = NULL;
  if (m->dup)
    return NOVA_ERR_ARGUMENT;
  char *topic = text_of(c, m->topic);
  if (m->qos != 0)
    x = wait_new(c, NOVA_MQTT_PUBLISH, m->packet_id, 1);
  int err = NOVA_ERR_NO_MEMORY;
  if (topic != NULL && (x != NULL || m->qos == 0)) {
    int rc = mosquitto_publish(c->mosq, &mid, topic, (int)m->payload.n,
                               m->payload.p, m->qos, m->retain);
    err = result(c, rc);
    nova__library_look(c, rc);
  }
  nova_mem_free(c->library->mem, topic);
  if (x != NULL) {
    x->qos = m->qos;
    x->entry[0].mid = mid;
    if (err != 0)
      drop_wait(c, x);
  }
  return err;
}

/* One call for |n| filters from |at| on, all with one QoS. */
static int say_filters(struct nova__library_client *c,
                       struct nova__library_wait *x, char **filter, size_t at,
                       size_t n) {
  int mid = 0, rc;
  if (x->type == NOVA_MQTT_SUBSCRIBE)
    rc = mosquitto_subscribe_multiple(c->mosq, &mid, (int)n, filter + at,
                                      x->entry[at].code, 0, NULL);
  else
    rc = mosquitto_unsubscribe_multiple(c->mosq, &mid, (int)n, filter + at,
                                        NULL);
  for (size_t i = at; i < at + n; i++)
    x->entry[i].mid = mid;
  nova__library_look(c, rc);
  return result(c, rc);
}

/* SUBSCRIBE and UNSUBSCRIBE. The library has one QoS for all filters of a call:
 * filters with another QoS go in a call of their own, behind the ones before.
 */
static int say_list(struct nova__library_client *c, const struct nova_mqtt *m) {
  const struct nova_mem *mem = c->library->mem;
  const struct nova_mqtt_list *list = &m->u.list;
  struct nova_mqtt_each each;
  struct nova_mqtt_entry entry;
  size_t n = 0;
  int err = 0;
  char **filter = nova_mem_zalloc(mem, list->count * sizeof *filter);
  struct nova__library_wait *x =
      wait_new(c, m->type, list->packet_id, list->count);
  if (filter == NULL || x == NULL)
    err = NOVA_ERR_NO_MEMORY;
  nova_mqtt_each_init(&each, m);
  while (err == 0 && n < list->count && nova_mqtt_each_next(&each, &entry)) {
    filter[n] = text_of(c, entry.filter);
    x->entry[n].code = entry.code;
    if (filter[n++] == NULL)
      err = NOVA_ERR_NO_MEMORY;
  }
  for (size_t at = 0, end; err == 0 && at < n; at = end) {
    for (end = at + 1; end < n && x->entry[end].code == x->entry[at].code;)
      end++;
    err = say_filters(c, x, filter, at, end - at);
  }
  for (size_t i = 0; filter != NULL && i < n; i++)
    nova_mem_free(mem, filter[i]);
  nova_mem_free(mem, filter);
  if (err != 0 && x != NULL)
    drop_wait(c, x);
  else if (m->type == NOVA_MQTT_UNSUBSCRIBE)
    x->left = 1;
  return err;
}

static int say_disconnect(struct nova__library_client *c) {
  c->disconnecting = true;
  int rc = mosquitto_disconnect(c->mosq);
  nova__library_look(c, rc);
  return result(c, rc);
}

static int say_packet(struct nova__library_client *c,
                      const struct nova_mqtt *m) {
  if ((m->type == NOVA_MQTT_CONNECT) != (c->mosq == NULL) || c->disconnecting)
    return NOVA_ERR_ARGUMENT;
  switch (m->type) {
  case NOVA_MQTT_CONNECT: return say_connect(c, &m->u.connect);
  case NOVA_MQTT_PUBLISH: return say_publish(c, &m->u.publish);
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_UNSUBSCRIBE: return say_list(c, m);
  case NOVA_MQTT_DISCONNECT: return say_disconnect(c);
  case NOVA_MQTT_PINGREQ:
    tell_packet(c, &(struct nova_mqtt){.type = NOVA_MQTT_PINGRESP});
    return 0;
  /* The rest of a QoS 2 that the library has done already. */
  case NOVA_MQTT_PUBREL:
    tell_ack(c, NOVA_MQTT_PUBCOMP, m->u.ack.packet_id);
    return 0;
  case NOVA_MQTT_PUBREC:
    tell_ack(c, NOVA_MQTT_PUBREL, m->u.ack.packet_id);
    return 0;
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBCOMP: return 0;
  case NOVA_MQTT_NONE:
  case NOVA_MQTT_CONNACK:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBACK:
  case NOVA_MQTT_PINGRESP: break;
  }
  return NOVA_ERR_ARGUMENT;
}

int nova__library_say(struct nova__library_client *c, const char *p, size_t n) {
  struct nova_mqtt_out out;
  struct nova_mqtt m;
  for (size_t at = 0, used; at < n; at += used) {
    int event = nova_mqtt_stream_feed(&c->stream, p + at, n - at, &used, &out);
    if (event == NOVA_MQTT_MORE)
      continue;
    if (event == NOVA_ERR_NO_MEMORY)
      return event;
    if (event != NOVA_MQTT_PACKET ||
        nova_mqtt_decode(out.packet.p, out.packet.n, &m, NULL) != 0)
      return NOVA_ERR_ARGUMENT;
    int err = say_packet(c, &m);
    if (err != 0)
      return err;
  }
  return 0;
}

void nova__library_forget(struct nova__library_client *c) {
  while (c->waits != NULL)
    drop_wait(c, c->waits);
}
