#include "peer/broker_state.h"

struct nova__bmsg *nova__broker_msg(const struct nova_broker *b,
                                    const struct nova_broker_message *m) {
  struct nova__bmsg *msg =
      nova_mem_alloc(b->mem, sizeof *msg + m->topic.n + m->payload.n);
  if (msg == NULL)
    return NULL;
  *msg = (struct nova__bmsg){.refs = 1,
                             .payload_n = (uint32_t)m->payload.n,
                             .topic_n = (uint16_t)m->topic.n,
                             .qos = m->qos,
                             .retain = m->retain};
  memcpy(msg->bytes, m->topic.p, m->topic.n);
  if (m->payload.n != 0)
    memcpy(msg->bytes + m->topic.n, m->payload.p, m->payload.n);
  return msg;
}

void nova__broker_msg_unref(const struct nova_broker *b, struct nova__bmsg *m) {
  if (m != NULL && --m->refs == 0)
    nova_mem_free(b->mem, m);
}

struct nova__bmsg *nova__broker_keep(const struct nova_broker *b,
                                     struct nova__bpass *p) {
  if (p->kept == NULL)
    p->kept = nova__broker_msg(b, &p->m);
  if (p->kept != NULL)
    p->kept->refs++;
  return p->kept;
}

/* Who gets the present message. */
struct hits {
  uint64_t number;
  struct nova__bsession *first;
};

static void hit(struct hits *h, struct nova__bsession *s, uint8_t qos) {
  if (s->hit != h->number) {
    s->hit = h->number;
    s->hit_qos = qos;
    s->hit_next = h->first;
    h->first = s;
  } else if (qos > s->hit_qos) {
    s->hit_qos = qos;
  }
}

static void collect(void *user, const struct nova__bnode *n) {
  for (struct nova__bsub *sub = n->subs; sub != NULL; sub = sub->node_next)
    hit(user, sub->session, sub->qos);
}

/* B_BROADCAST */
static void collect_all(const struct nova_broker *b, struct hits *h) {
  for (size_t i = 0; i < b->session_bucket_n; i++)
    for (struct nova__bsession *s = b->session[i]; s != NULL;
         s = s->same_bucket)
      if (s->conn != NULL && s->subs != NULL)
        hit(h, s, s->subs->qos);
}

int nova__broker_route(struct nova_broker *b, struct nova__bpass *p) {
  struct hits hits = {.number = ++b->hits};
  int error = p->m.retain ? nova__broker_retain(b, p) : 0;
  nova__btree_match(&b->tree, p->m.topic, collect, &hits);
  if (p->client && NOVA__BHAS(b, B_BROADCAST))
    collect_all(b, &hits);
  /* No session goes before nova__broker_bury(), so the list holds. */
  for (struct nova__bsession *s = hits.first; s != NULL; s = s->hit_next)
    if (nova__broker_deliver(b, s, p, s->hit_qos, false) != 0)
      error = NOVA_ERR_NO_MEMORY;
  return error;
}

void nova__broker_will(struct nova_broker *b, uint64_t conn,
                       struct nova__bmsg *will) {
  struct nova__bpass p = {.m = {.topic = nova__bmsg_topic(will),
                                .payload = nova__bmsg_payload(will),
                                .qos = will->qos,
                                .retain = will->retain},
                          .kept = will,
                          .will = true};
  const struct nova_broker_owner *o = &b->options.owner;
  if (o->publish == NULL || o->publish(o->user, conn, true, &p.m))
    (void)nova__broker_route(b, &p); /* whom it cannot be told of now? */
  nova__broker_msg_unref(b, will);
}
