#include "peer/broker_state.h"

static struct nova__bretained **bucket_of(const struct nova_broker *b,
                                          uint32_t hash) {
  return &b->retained[hash & (b->retained_bucket_n - 1)];
}

/* The link that leads to the entry of |topic|, or to where it would stand. */
static struct nova__bretained **find(const struct nova_broker *b,
                                     struct nova_view topic, uint32_t hash) {
  struct nova__bretained **place = bucket_of(b, hash);
  while (*place != NULL &&
         ((*place)->hash != hash ||
          !nova_view_eq(nova__bmsg_topic((*place)->msg), topic)))
    place = &(*place)->same_bucket;
  return place;
}

/* Room for one more; longer chains do where there is no memory. */
static bool grow(struct nova_broker *b) {
  if (b->retained_n < b->retained_bucket_n)
    return true;
  size_t n = b->retained_bucket_n != 0 ? b->retained_bucket_n * 2 : 64;
  struct nova__bretained **bigger =
      nova_mem_zalloc(b->mem, n * sizeof(struct nova__bretained *));
  if (bigger == NULL)
    return b->retained_bucket_n != 0;
  nova_mem_free(b->mem, b->retained);
  b->retained = bigger;
  b->retained_bucket_n = n;
  for (struct nova__bretained *r = b->retained_first; r != NULL; r = r->next) {
    struct nova__bretained **place = bucket_of(b, r->hash);
    r->same_bucket = *place;
    *place = r;
  }
  return true;
}

static void drop(struct nova_broker *b, struct nova__bretained **place) {
  struct nova__bretained *r = *place;
  *place = r->same_bucket;
  *(r->prev != NULL ? &r->prev->next : &b->retained_first) = r->next;
  *(r->next != NULL ? &r->next->prev : &b->retained_last) = r->prev;
  b->retained_n--;
  nova__broker_msg_unref(b, r->msg);
  nova_mem_free(b->mem, r);
}

int nova__broker_retain(struct nova_broker *b, struct nova__bpass *p) {
  uint32_t hash = nova__bhash(p->m.topic.p, p->m.topic.n, 0);
  struct nova__bretained **place =
      b->retained_n != 0 ? find(b, p->m.topic, hash) : NULL;
  bool there = place != NULL && *place != NULL;
  if (p->m.payload.n == 0) {
    if (there)
      drop(b, place);
    return 0;
  }
  struct nova__bmsg *msg = nova__broker_keep(b, p);
  if (msg == NULL)
    return NOVA_ERR_NO_MEMORY;
  if (there) {
    nova__broker_msg_unref(b, (*place)->msg);
    (*place)->msg = msg;
    return 0;
  }
  struct nova__bretained *r =
      grow(b) ? nova_mem_zalloc(b->mem, sizeof *r) : NULL;
  if (r == NULL) {
    nova__broker_msg_unref(b, msg);
    return NOVA_ERR_NO_MEMORY;
  }
  if (b->retained_n >= b->options.retained_most) {
    struct nova__bretained *oldest = b->retained_first;
    drop(b, find(b, nova__bmsg_topic(oldest->msg), oldest->hash));
  }
  r->msg = msg;
  r->hash = hash;
  r->prev = b->retained_last;
  *(r->prev != NULL ? &r->prev->next : &b->retained_first) = r;
  b->retained_last = r;
  place = bucket_of(b, hash);
  r->same_bucket = *place;
  *place = r;
  b->retained_n++;
  return 0;
}

/* False where the client is gone, or the memory. */
static bool send_one(struct nova_broker *b, struct nova__bsession *s,
                     const struct nova__bretained *r, uint8_t qos) {
  struct nova__bpass p = {.m = {.topic = nova__bmsg_topic(r->msg),
                                .payload = nova__bmsg_payload(r->msg),
                                .qos = r->msg->qos,
                                .retain = true},
                          .kept = r->msg};
  if (nova__broker_deliver(b, s, &p, qos, true) != 0 && s->conn != NULL)
    nova__broker_no_memory(b, s->conn);
  return s->conn != NULL;
}

void nova__broker_send_retained(struct nova_broker *b, struct nova__bsession *s,
                                struct nova_view filter, uint8_t qos) {
  if (b->retained_n == 0)
    return;
  if (memchr(filter.p, '+', filter.n) == NULL &&
      memchr(filter.p, '#', filter.n) == NULL) {
    struct nova__bretained *r =
        *find(b, filter, nova__bhash(filter.p, filter.n, 0));
    if (r != NULL)
      send_one(b, s, r, qos);
    return;
  }
  for (struct nova__bretained *r = b->retained_first; r != NULL; r = r->next)
    if (nova_mqtt_match(filter, nova__bmsg_topic(r->msg)) &&
        !send_one(b, s, r, qos))
      return;
}

void nova__broker_free_retained(struct nova_broker *b) {
  for (struct nova__bretained *r = b->retained_first, *next; r != NULL;
       r = next) {
    next = r->next;
    nova__broker_msg_unref(b, r->msg);
    nova_mem_free(b->mem, r);
  }
  nova_mem_free(b->mem, b->retained);
}
