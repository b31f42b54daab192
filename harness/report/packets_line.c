#include "report/packets_line.h"

#include "base/error.h"
#include "base/utf8.h"
#include "codec/mqtt.h"
#include "report/packets.h"
#include "report/text.h"

/* The most entries of a SUBSCRIBE, SUBACK or UNSUBSCRIBE that are told. */
#define ENTRIES 8

/* Bytes that fill the columns whatever the characters. */
#define ENOUGH ((size_t)4 * NOVA__PACKET_COLUMNS)

struct line {
  const struct nova__packet *p;
  struct nova_buf *out;
  struct nova_buf scratch;
  int err;
};

static void note(struct line *l, int err) {
  if (l->err == 0)
    l->err = err;
}

static void say(struct line *l, const char *text) {
  note(l, nova_buf_puts(l->out, text));
}

static void number(struct line *l, const char *before, size_t n) {
  note(l, nova_buf_printf(l->out, "%s%zu", before, n));
}

/* The stretches of a view that are masked and those that are not. */
struct stretches {
  const struct nova__packet *p;
  struct nova_view v;
  size_t veil, at;
};

/* The next of them; |hidden|: "***" stands for it. */
static bool next_stretch(struct stretches *s, struct nova_view *out,
                         bool *hidden) {
  if (s->at >= s->v.n)
    return false;
  uint64_t base = s->p->offset + (uint64_t)(s->v.p - s->p->bytes.p);
  uint64_t from = base + s->at, to = base + s->v.n;
  while (s->veil < s->p->veils && s->p->veil[s->veil].end <= from)
    s->veil++;
  *hidden = s->veil < s->p->veils && s->p->veil[s->veil].at <= from;
  if (*hidden) {
    uint64_t end = s->p->veil[s->veil].end;
    /* A secret that lies in several entries is one. */
    while (s->veil + 1 < s->p->veils && s->p->veil[s->veil + 1].at == end)
      end = s->p->veil[++s->veil].end;
    to = end < to ? end : to;
  } else if (s->veil < s->p->veils && s->p->veil[s->veil].at < to) {
    to = s->p->veil[s->veil].at;
  }
  *out = (struct nova_view){s->v.p + s->at, (size_t)(to - from)};
  s->at += out->n;
  return true;
}

/* Collects |v| masked, as it is or in hexadecimal digits, as far as it can be
 * shown. Returns false where it is to be text and is none. */
static bool collect(struct line *l, struct nova_view v, bool hex) {
  struct stretches s = {l->p, v, 0, 0};
  struct nova_view one;
  bool hidden, text = true;
  nova_buf_clear(&l->scratch);
  while (l->scratch.len <= ENOUGH && next_stretch(&s, &one, &hidden)) {
    if (hidden) {
      note(l, nova_buf_puts(&l->scratch, NOVA_MASK_TEXT));
      continue;
    }
    size_t n = one.n < ENOUGH ? one.n : ENOUGH;
    size_t good = nova_utf8_check(one.p, n);
    /* A character may have been cut just now. */
    text &= good == n || (n < one.n && n - good < 4);
    if (!hex)
      note(l, nova_buf_append(&l->scratch, one.p, good));
    for (size_t i = 0; hex && i < n && l->scratch.len <= ENOUGH; i++)
      note(l, nova_buf_printf(&l->scratch, "%02x", (unsigned char)one.p[i]));
    if (n < one.n)
      note(l, nova_buf_puts(&l->scratch, "..."));
  }
  return text;
}

/* A topic, a name, a payload. |quoted|: where its end could not be seen. */
static void put(struct line *l, struct nova_view v, bool quoted) {
  if (v.p == NULL)
    v.n = 0;
  bool hex = !collect(l, v, false);
  if (hex)
    collect(l, v, true);
  if (l->err != 0)
    return;
  struct nova_view text = nova_buf_view(&l->scratch);
  quoted = quoted && !hex &&
           (text.n == 0 || memchr(text.p, ' ', text.n) != NULL ||
            memchr(text.p, '"', text.n) != NULL);
  say(l, hex ? "0x" : quoted ? "\"" : "");
  note(l, nova_safe_put(l->out, text, NOVA__PACKET_COLUMNS));
  say(l, quoted ? "\"" : "");
}

static void payload(struct line *l, struct nova_view v) {
  uint64_t at = l->p->offset + (uint64_t)(v.p - l->p->bytes.p);
  bool cut = l->p->gap < at + v.n;
  if (v.n == 0) {
    say(l, " (empty)");
    return;
  }
  if (cut)
    v.n = l->p->gap > at ? (size_t)(l->p->gap - at) : 0;
  say(l, " ");
  put(l, v, false);
  if (cut)
    say(l, "...");
}

static void put_connect(struct line *l, const struct nova_mqtt_connect *c) {
  say(l, " client_id=");
  put(l, c->client_id, true);
  number(l, " keep_alive=", c->keep_alive);
  if (!c->clean_session)
    say(l, " clean_session=0");
  if (c->user_name.p != NULL) {
    say(l, " username=");
    put(l, c->user_name, true);
  }
  /* Whatever it is, it does not stand here; that there is none does. */
  if (c->password.p != NULL)
    say(l, c->password.n != 0 ? " password=" NOVA_MASK_TEXT : " password=\"\"");
  if (c->will_topic.p == NULL && c->will_message.p == NULL)
    return;
  say(l, " will=");
  put(l, c->will_topic, true);
  number(l, " qos ", c->will_qos);
  say(l, c->will_retain ? " retain" : "");
  payload(l, c->will_message);
}

static void put_publish(struct line *l, const struct nova_mqtt_publish *p) {
  say(l, " ");
  put(l, p->topic, true);
  number(l, " qos ", p->qos);
  if (p->qos != 0)
    number(l, " id ", p->packet_id);
  say(l, p->dup ? " dup" : "");
  say(l, p->retain ? " retain" : "");
  payload(l, p->payload);
}

static void entries(struct line *l, const struct nova_mqtt *m) {
  struct nova_mqtt_each each;
  struct nova_mqtt_entry e;
  size_t n = 0;
  number(l, " id ", m->u.list.packet_id);
  nova_mqtt_each_init(&each, m);
  while (n < ENTRIES && nova_mqtt_each_next(&each, &e)) {
    say(l, n++ == 0 ? " " : ", ");
    if (m->type != NOVA_MQTT_SUBACK)
      put(l, e.filter, true);
    if (m->type == NOVA_MQTT_SUBACK && e.code == NOVA_MQTT_SUBACK_FAILURE)
      say(l, "failure");
    else if (m->type != NOVA_MQTT_UNSUBSCRIBE)
      number(l, m->type == NOVA_MQTT_SUBACK ? "qos " : " qos ", e.code);
  }
  if (n < m->u.list.count) {
    number(l, ", ", m->u.list.count - n);
    say(l, " more");
  }
}

static void fields(struct line *l, const struct nova_mqtt *m) {
  say(l, nova_mqtt_type_name(m->type));
  switch (m->type) {
  case NOVA_MQTT_CONNECT: put_connect(l, &m->u.connect); break;
  case NOVA_MQTT_CONNACK:
    number(l, " ", m->u.connack.code);
    say(l, " ");
    say(l, nova_mqtt_code_text(m->u.connack.code));
    say(l, m->u.connack.session_present ? ", session present" : "");
    break;
  case NOVA_MQTT_PUBLISH: put_publish(l, &m->u.publish); break;
  case NOVA_MQTT_PUBACK:
  case NOVA_MQTT_PUBREC:
  case NOVA_MQTT_PUBREL:
  case NOVA_MQTT_PUBCOMP:
  case NOVA_MQTT_UNSUBACK: number(l, " id ", m->u.ack.packet_id); break;
  case NOVA_MQTT_SUBSCRIBE:
  case NOVA_MQTT_SUBACK:
  case NOVA_MQTT_UNSUBSCRIBE: entries(l, m); break;
  case NOVA_MQTT_PINGREQ:
  case NOVA_MQTT_PINGRESP:
  case NOVA_MQTT_DISCONNECT:
  case NOVA_MQTT_NONE: break;
  }
  if ((m->saw & NOVA_MQTT_SAW_LONG_LENGTH) != 0) {
    number(l, " (remaining length in ", m->header_size - 1);
    say(l, " bytes)");
  }
}

static void malformed(struct line *l, const struct nova_mqtt *m,
                      const struct nova_fault_at *at) {
  say(l, "malformed ");
  say(l, m->type != NOVA_MQTT_NONE ? nova_mqtt_type_name(m->type) : "packet");
  say(l, ": ");
  say(l, nova_error_text(at->code));
  number(l, " at byte ", at->offset);
  const char *statement = nova_mqtt_statement(at->code);
  if (*statement == '\0')
    return;
  say(l, " [");
  say(l, statement);
  say(l, "]");
}

int nova__packet_put(const struct nova__packet *p, struct nova_buf *out) {
  struct line l = {.p = p, .out = out};
  struct nova_mqtt m;
  struct nova_fault_at at;
  nova_buf_init(&l.scratch, out->mem, 2 * ENOUGH + 64);
  bool good = nova_mqtt_decode(p->bytes.p, p->bytes.n, &m, &at) == 0;
  /* A payload goes up to the packet's end; nothing else bears a gap. */
  uint64_t known = p->offset + p->bytes.n;
  if (good && m.type == NOVA_MQTT_PUBLISH)
    known -= m.u.publish.payload.n;
  if (p->gap < known) {
    say(&l, nova_mqtt_type_name((enum nova_mqtt_type)(m.type)));
    number(&l, " of ", p->bytes.n);
    say(&l, " bytes, not all of them kept");
  } else if (good) {
    fields(&l, &m);
  } else {
    malformed(&l, &m, &at);
  }
  nova_buf_free(&l.scratch);
  return l.err;
}
