#include "peer/broker_state.h"

/* Levels are found in one table for the whole tree: what is called "a" below
 * this node stands in the bucket of hash("a", this node). So a node has no
 * table of its own, and going down one level costs one look. */

static struct nova__bnode *new_node(struct nova__btree *t,
                                    struct nova__bnode *parent,
                                    struct nova_view level, uint32_t hash) {
  struct nova__bnode *n = nova_mem_zalloc(t->mem, sizeof *n + level.n);
  if (n == NULL)
    return NULL;
  n->parent = parent;
  n->hash = hash;
  n->salt = ++t->salt * UINT32_C(0x9e3779b1);
  n->depth = parent != NULL ? (uint16_t)(parent->depth + 1) : 0;
  n->level_n = (uint16_t)level.n;
  if (level.n != 0)
    memcpy(n->level, level.p, level.n);
  return n;
}

int nova__btree_init(struct nova__btree *t, const struct nova_mem *mem) {
  *t = (struct nova__btree){.mem = mem};
  t->root = new_node(t, NULL, (struct nova_view){NULL, 0}, 0);
  return t->root != NULL ? 0 : NOVA_ERR_NO_MEMORY;
}

void nova__btree_free(struct nova__btree *t) {
  nova_mem_free(t->mem, t->root);
  nova_mem_free(t->mem, t->bucket);
  nova_mem_free(t->mem, t->stack);
  *t = (struct nova__btree){.mem = t->mem};
}

static struct nova__bnode **bucket_of(const struct nova__btree *t,
                                      uint32_t hash) {
  return &t->bucket[hash & (t->bucket_n - 1)];
}

static struct nova__bnode *child(const struct nova__btree *t,
                                 const struct nova__bnode *parent,
                                 struct nova_view level, uint32_t hash) {
  struct nova__bnode *n = t->bucket_n != 0 ? *bucket_of(t, hash) : NULL;
  while (n != NULL &&
         (n->hash != hash || n->parent != parent ||
          !nova_view_eq((struct nova_view){n->level, n->level_n}, level)))
    n = n->same_bucket;
  return n;
}

/* Room for one more node. Longer chains do where there is no memory. */
static bool grow(struct nova__btree *t) {
  if (t->node_n < t->bucket_n)
    return true;
  struct nova__btree bigger = {.bucket_n =
                                   t->bucket_n != 0 ? t->bucket_n * 2 : 64};
  bigger.bucket =
      nova_mem_zalloc(t->mem, bigger.bucket_n * sizeof *bigger.bucket);
  if (bigger.bucket == NULL)
    return t->bucket_n != 0;
  for (size_t i = 0; i < t->bucket_n; i++)
    for (struct nova__bnode *n = t->bucket[i], *next; n != NULL; n = next) {
      struct nova__bnode **place = bucket_of(&bigger, n->hash);
      next = n->same_bucket;
      n->same_bucket = *place;
      *place = n;
    }
  nova_mem_free(t->mem, t->bucket);
  t->bucket = bigger.bucket;
  t->bucket_n = bigger.bucket_n;
  return true;
}

/* The search for a topic never has more places open than a filter is deep, and
 * one. */
static bool grow_stack(struct nova__btree *t, size_t depth) {
  if (depth + 2 <= t->stack_n)
    return true;
  size_t n = t->stack_n != 0 ? t->stack_n : 16;
  while (n < depth + 2)
    n *= 2;
  struct nova__bplace *stack =
      nova_mem_realloc(t->mem, t->stack, n * sizeof *stack);
  if (stack == NULL)
    return false;
  t->stack = stack;
  t->stack_n = n;
  return true;
}

static struct nova__bnode *add_child(struct nova__btree *t,
                                     struct nova__bnode *parent,
                                     struct nova_view level, uint32_t hash) {
  if (!grow(t) || !grow_stack(t, (size_t)parent->depth + 1))
    return NULL;
  struct nova__bnode *n = new_node(t, parent, level, hash);
  if (n == NULL)
    return NULL;
  struct nova__bnode **place = bucket_of(t, hash);
  n->same_bucket = *place;
  *place = n;
  t->node_n++;
  parent->children++;
  if (nova_view_is(level, "+"))
    parent->plus = n;
  else if (nova_view_is(level, "#"))
    parent->pound = n;
  return n;
}

/* Takes out what nobody needs any more, from |n| upwards. */
static void prune(struct nova__btree *t, struct nova__bnode *n) {
  while (n->parent != NULL && n->children == 0 && n->subs == NULL) {
    struct nova__bnode *parent = n->parent, **place = bucket_of(t, n->hash);
    while (*place != n)
      place = &(*place)->same_bucket;
    *place = n->same_bucket;
    if (parent->plus == n)
      parent->plus = NULL;
    if (parent->pound == n)
      parent->pound = NULL;
    parent->children--;
    t->node_n--;
    nova_mem_free(t->mem, n);
    n = parent;
  }
}

/* The level of |s| that begins at |at|; what comes behind it begins at |*next|,
 * which is s.n + 1 behind the last one. */
static struct nova_view level_at(struct nova_view s, size_t at, size_t *next) {
  const char *end = at < s.n ? memchr(s.p + at, '/', s.n - at) : NULL;
  size_t n = end != NULL ? (size_t)(end - s.p) - at : s.n - at;
  *next = at + n + 1;
  return (struct nova_view){s.p + at, n};
}

/* The node of |filter|, made where |make| says so; NULL where there is none. */
static struct nova__bnode *walk(struct nova__btree *t, struct nova_view filter,
                                bool make) {
  struct nova__bnode *n = t->root;
  for (size_t at = 0, next; at <= filter.n; at = next) {
    struct nova_view level = level_at(filter, at, &next);
    uint32_t hash = nova__bhash(level.p, level.n, n->salt);
    struct nova__bnode *c = child(t, n, level, hash);
    if (c == NULL && make && (c = add_child(t, n, level, hash)) == NULL)
      prune(t, n);
    if (c == NULL)
      return NULL;
    n = c;
  }
  return n;
}

/* The subscription of |s| at |n|, by the shorter of the two lists. */
static struct nova__bsub *find_sub(const struct nova__bsession *s,
                                   const struct nova__bnode *n) {
  struct nova__bsub *sub;
  if (s->sub_n < n->sub_n) {
    for (sub = s->subs; sub != NULL && sub->node != n;)
      sub = sub->next;
    return sub;
  }
  for (sub = n->subs; sub != NULL && sub->session != s;)
    sub = sub->node_next;
  return sub;
}

int nova__btree_add(struct nova__btree *t, struct nova__bsession *s,
                    struct nova_view filter, uint8_t qos, size_t most) {
  struct nova__bnode *n = walk(t, filter, true);
  if (n == NULL)
    return NOVA_ERR_NO_MEMORY;
  struct nova__bsub *sub = find_sub(s, n);
  if (sub != NULL) {
    sub->qos = qos;
    return 0;
  }
  int error = s->sub_n >= most ? NOVA_ERR_LIMIT : 0;
  if (error == 0 && (sub = nova_mem_alloc(t->mem, sizeof *sub)) == NULL)
    error = NOVA_ERR_NO_MEMORY;
  if (error != 0) {
    prune(t, n);
    return error;
  }
  *sub = (struct nova__bsub){.next = s->subs,
                             .link = &s->subs,
                             .node_next = n->subs,
                             .node_link = &n->subs,
                             .session = s,
                             .node = n,
                             .qos = qos};
  if (sub->next != NULL)
    sub->next->link = &sub->next;
  if (sub->node_next != NULL)
    sub->node_next->node_link = &sub->node_next;
  s->subs = n->subs = sub;
  s->sub_n++;
  n->sub_n++;
  return 0;
}

static void remove_sub(struct nova__btree *t, struct nova__bsub *sub) {
  struct nova__bnode *n = sub->node;
  *sub->link = sub->next;
  if (sub->next != NULL)
    sub->next->link = sub->link;
  *sub->node_link = sub->node_next;
  if (sub->node_next != NULL)
    sub->node_next->node_link = sub->node_link;
  sub->session->sub_n--;
  n->sub_n--;
  nova_mem_free(t->mem, sub);
  prune(t, n);
}

void nova__btree_remove(struct nova__btree *t, struct nova__bsession *s,
                        struct nova_view filter) {
  struct nova__bnode *n = walk(t, filter, false);
  struct nova__bsub *sub = n != NULL ? find_sub(s, n) : NULL;
  if (sub != NULL)
    remove_sub(t, sub);
}

void nova__btree_remove_all(struct nova__btree *t, struct nova__bsession *s) {
  while (s->subs != NULL)
    remove_sub(t, s->subs);
}

void nova__btree_match(const struct nova__btree *t, struct nova_view topic,
                       void (*visit)(void *user, const struct nova__bnode *n),
                       void *user) {
  /* A topic that begins with "$" matches no wildcard in front (4.7.2-1). */
  bool hidden = topic.n != 0 && topic.p[0] == '$';
  size_t open = 0;
  if (t->node_n == 0)
    return;
  t->stack[open++] = (struct nova__bplace){t->root, 0};
  while (open != 0) {
    struct nova__bplace place = t->stack[--open];
    const struct nova__bnode *n = place.node;
    bool wildcards = n->parent != NULL || !hidden;
    if (n->pound != NULL && wildcards) /* the level above it included */
      visit(user, n->pound);
    if (place.at > topic.n) {
      if (n->subs != NULL)
        visit(user, n);
      continue;
    }
    size_t next;
    struct nova_view level = level_at(topic, place.at, &next);
    if (n->plus != NULL && wildcards)
      t->stack[open++] = (struct nova__bplace){n->plus, next};
    const struct nova__bnode *c =
        n->children != 0
            ? child(t, n, level, nova__bhash(level.p, level.n, n->salt))
            : NULL;
    if (c != NULL && c != n->plus && c != n->pound)
      t->stack[open++] = (struct nova__bplace){c, next};
  }
}
