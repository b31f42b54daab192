#include "peer/broker_state.h"

/* What is to be sent collects in one block a connection, so that all that one
 * event brings goes out as one write. A connection with nothing to send has no
 * block; those that were used stand ready for the next one. */

#define BLOCK_LEAST  512
#define BLOCKS_BYTES ((size_t)4 * 1024 * 1024) /* that stand ready */

/* --- blocks ----------------------------------------------------------------
 */

/* The size of the blocks that have room for |n| bytes; |*i|: their list. */
static size_t block_size(size_t n, unsigned *i) {
  size_t size = BLOCK_LEAST;
  for (*i = 0; size < n; ++*i)
    size *= 2;
  return size;
}

static char *take_block(struct nova_broker *b, size_t n, uint32_t *size) {
  unsigned i;
  *size = (uint32_t)block_size(n, &i);
  struct nova__bblock *block = i < NOVA__B_BLOCKS ? b->block[i] : NULL;
  if (block == NULL)
    return nova_mem_alloc(b->mem, *size);
  b->block[i] = block->next;
  b->block_bytes -= *size;
  return (char *)block;
}

static void give_block(struct nova_broker *b, char *p, size_t size) {
  unsigned i;
  if (p == NULL)
    return;
  (void)block_size(size, &i);
  if (i >= NOVA__B_BLOCKS || b->block_bytes + size > BLOCKS_BYTES) {
    nova_mem_free(b->mem, p);
    return;
  }
  struct nova__bblock *block = (struct nova__bblock *)(void *)p;
  block->next = b->block[i];
  b->block[i] = block;
  b->block_bytes += size;
}

void nova__broker_free_blocks(struct nova_broker *b) {
  for (unsigned i = 0; i < NOVA__B_BLOCKS; i++)
    for (struct nova__bblock *block; (block = b->block[i]) != NULL;) {
      b->block[i] = block->next;
      nova_mem_free(b->mem, block);
    }
}

/* --- writes that were handed out -------------------------------------------
 */

static void wrote(struct nova__bwrites *w, uint32_t bytes) {
  if (w->n == NOVA__B_WRITES) {
    w->bytes[w->n - 1] += bytes;
    w->count[w->n - 1]++;
    return;
  }
  w->bytes[w->n] = bytes;
  w->count[w->n++] = 1;
}

/* How many bytes count no longer. */
static uint32_t reported(struct nova__bwrites *w) {
  if (w->n == 0 || --w->count[0] != 0)
    return 0;
  uint32_t bytes = w->bytes[0];
  w->n--;
  for (unsigned i = 0; i < w->n; i++) {
    w->bytes[i] = w->bytes[i + 1];
    w->count[i] = w->count[i + 1];
  }
  return bytes;
}

/* --- packets ---------------------------------------------------------------
 */

void nova__broker_ready(struct nova_broker *b, struct nova__bconn *c) {
  if (c->ready)
    return;
  c->ready = true;
  c->ready_next = NULL;
  *(b->ready != NULL ? &b->ready_last->ready_next : &b->ready) = c;
  b->ready_last = c;
}

/* Room for |n| more bytes; NULL where the connection had to be ended. */
static char *reserve(struct nova_broker *b, struct nova__bconn *c, size_t n) {
  if (n > b->options.unsent_limit - c->unsent) {
    nova__broker_end(b, c, NOVA_BROKER_LOST, 0, NOVA__B_FINAL_RESET);
    return NULL;
  }
  if (n <= c->out_cap - c->out_n)
    return c->out + c->out_n;
  uint32_t cap;
  size_t wish = c->out_n + n;
  if (c->out_n != 0 && wish < (size_t)c->out_cap * 2)
    wish = (size_t)c->out_cap * 2;
  char *p = take_block(b, wish, &cap);
  if (p == NULL) {
    nova__broker_no_memory(b, c);
    return NULL;
  }
  if (c->out_n != 0)
    memcpy(p, c->out, c->out_n);
  give_block(b, c->out, c->out_cap);
  c->out = p;
  c->out_cap = cap;
  return p + c->out_n;
}

static void commit(struct nova_broker *b, struct nova__bconn *c, size_t n) {
  c->out_n += (uint32_t)n;
  c->unsent += n;
  if (!b->faulty || !nova__bug_gathers(b, c))
    nova__broker_ready(b, c);
}

void nova__broker_put_bytes(struct nova_broker *b, struct nova__bconn *c,
                            const char *p, size_t n) {
  char *place = c->state != NOVA__B_ENDED ? reserve(b, c, n) : NULL;
  if (place == NULL)
    return;
  memcpy(place, p, n);
  commit(b, c, n);
}

void nova__broker_put(struct nova_broker *b, struct nova__bconn *c,
                      const struct nova_mqtt *m) {
  size_t n;
  if (c->state == NOVA__B_ENDED || (c->withheld >> m->type & 1) != 0)
    return;
  if (b->faulty && nova__bug_put(b, c, m))
    return;
  /* What is sent was decoded from a packet, or comes from the owner: it may be
   * odd, but it can be written. */
  if (nova_mqtt_size(m, NOVA_MQTT_ANYWAY, &n) != 0)
    return;
  char *p = reserve(b, c, n);
  if (p != NULL && nova_mqtt_encode(m, NOVA_MQTT_ANYWAY, p, n, &n) == 0)
    commit(b, c, n);
}

void nova__broker_put_ack(struct nova_broker *b, struct nova__bconn *c,
                          enum nova_mqtt_type type, uint16_t id) {
  struct nova_mqtt m = {.type = type, .u.ack = {id}};
  nova__broker_put(b, c, &m);
}

/* --- handing out -----------------------------------------------------------
 */

void nova__broker_drop_output(struct nova_broker *b, struct nova__bconn *c) {
  give_block(b, c->out, c->out_cap);
  c->unsent -= c->out_n - c->out_at;
  c->out = NULL;
  c->out_n = c->out_cap = c->out_at = 0;
}

void nova__broker_free_conn(struct nova_broker *b, struct nova__bconn *c) {
  nova__broker_drop_output(b, c);
  nova_mqtt_stream_free(&c->stream);
  nova__broker_msg_unref(b, c->will);
  nova_mem_free(b->mem, c->user_name);
  nova_mem_free(b->mem, c);
}

void nova__broker_release(struct nova_broker *b) {
  give_block(b, b->handed_bytes, b->handed_cap);
  b->handed_bytes = NULL;
  if (b->handed_out != NULL)
    nova__broker_free_conn(b, b->handed_out);
  b->handed_out = NULL;
}

void nova_broker_sent(struct nova_broker *b, uint64_t conn) {
  nova__broker_release(b);
  struct nova__bconn *c = nova__connmap_get(&b->map, conn);
  if (c == NULL)
    return;
  c->unsent -= reported(&c->writes);
  if (c->session != NULL) {
    nova__broker_pump(b, c->session);
    nova__broker_bury(b);
  }
}

bool nova_broker_next_output(struct nova_broker *b,
                             struct nova_broker_out *out) {
  nova__broker_release(b);
  struct nova__bconn *c;
  while ((c = b->ready) != NULL) {
    *out = (struct nova_broker_out){.conn = c->conn};
    if (c->out_n != 0) {
      uint32_t n = NOVA__BHAS(b, V_B_BYTES) ? 1 : c->out_n;
      out->kind = NOVA_BROKER_SEND;
      out->bytes = (struct nova_view){c->out + c->out_at, n};
      wrote(&c->writes, n);
      c->out_at += n;
      if (c->out_at < c->out_n)
        return true;
      b->handed_bytes = c->out;
      b->handed_cap = c->out_cap;
      c->out = NULL;
      c->out_n = c->out_cap = c->out_at = 0;
      if (c->state != NOVA__B_ENDED) {
        b->ready = c->ready_next;
        c->ready = false;
      }
      return true;
    }
    b->ready = c->ready_next;
    c->ready = false;
    if (c->state != NOVA__B_ENDED)
      continue;
    b->handed_out = c;
    if (c->final != NOVA__B_FINAL_GONE) {
      out->kind = c->final == NOVA__B_FINAL_CLOSE ? NOVA_BROKER_CLOSE
                                                  : NOVA_BROKER_RESET;
      return true;
    }
    nova__broker_release(b);
  }
  return false;
}
