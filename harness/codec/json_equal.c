#include "codec/json.h"

#include "codec/json_internal.h"

/* Members of an object, sorted by their keys; as many as there is room for. */
#define WINDOW 1024

struct index {
  const char *begin; /* in the text; NULL for an index of nothing */
  const char *end;   /* behind the last member of the window */
  size_t n;
  uint32_t *at; /* of each key, from |begin|, in order */
  uint32_t room[2][WINDOW];
};

/* Two containers that are being compared. */
struct pair {
  struct nova_json_iter a, b; /* what is not compared yet */
  size_t left;                /* members or elements of |b| not matched yet */
  /* NULL as long as both have their members in the same order. From there on
   * |a| is walked over once for each window of |b|. */
  const char *window;
  const char *rest; /* of |a|, where the orders part */
};

/* The characters of the key at |offset|. */
static const char *characters(const struct index *x, uint32_t offset) {
  return x->begin + offset + 1;
}

/* By merging: a comparison costs no more than the key that it moves is long. */
static void sort(struct index *x) {
  uint32_t *from = x->room[0], *to = x->room[1];
  for (size_t run = 1; run < x->n; run *= 2) {
    for (size_t a = 0; a < x->n; a += 2 * run) {
      size_t b = a + run < x->n ? a + run : x->n;
      size_t c = b + run < x->n ? b + run : x->n;
      for (size_t i = a, l = a, r = b; i < c; i++)
        if (r == c || (l < b && nova__json_compare(characters(x, from[l]),
                                                   characters(x, from[r])) < 0))
          to[i] = from[l++];
        else
          to[i] = from[r++];
    }
    uint32_t *swap = from;
    from = to;
    to = swap;
  }
  x->at = from;
}

/* Makes |x| the index of the window that |f| is at, if it is not yet: a pair
 * inside may have used it meanwhile. */
static void load(struct index *x, const struct pair *f) {
  if (x->begin == f->window)
    return;
  struct nova_json_iter it = f->b;
  struct nova_json_value key;
  x->begin = it.p = f->window;
  x->n = 0;
  while (x->n < WINDOW && nova_json_next(&it, &key, NULL))
    x->room[0][x->n++] = (uint32_t)(key.text.p - x->begin);
  x->end = it.p;
  sort(x);
}

/* Sets |value| to the member |key| of the window that is loaded. */
static bool find(const struct index *x, const struct pair *f,
                 struct nova_json_value key, struct nova_json_value *value) {
  size_t low = 0, high = x->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order =
        nova__json_compare(key.text.p + 1, characters(x, x->at[middle]));
    if (order == 0) {
      struct nova_json_iter it = f->b;
      it.p = x->begin + x->at[middle];
      return nova_json_next(&it, NULL, value);
    }
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return false;
}

enum step { STEP_COMPARE, STEP_DONE, STEP_DIFFERENT };

/* The next two values of a pair that have to be equal. */
static enum step next(struct pair *f, struct index *x,
                      struct nova_json_value *a, struct nova_json_value *b) {
  struct nova_json_value key, other;
  while (f->left != 0) {
    const char *here = f->a.p;
    if (!nova_json_next(&f->a, &key, a)) {
      /* Those of this window are found, or not there. */
      load(x, f);
      f->window = x->end;
      load(x, f);
      if (x->n == 0)
        return STEP_DIFFERENT;
      f->a.p = f->rest;
      continue;
    }
    if (f->window == NULL) {
      const char *there = f->b.p;
      nova_json_next(&f->b, &other, b);
      if (!f->a.object ||
          nova__json_compare(key.text.p + 1, other.text.p + 1) == 0) {
        f->left--;
        return STEP_COMPARE;
      }
      f->rest = here;
      f->window = there;
    }
    load(x, f);
    if (find(x, f, key, b)) {
      f->left--;
      return STEP_COMPARE;
    }
  }
  return STEP_DONE;
}

static size_t count(struct nova_json_value v) {
  struct nova_json_iter it;
  size_t n = 0;
  nova_json_iter_init(&it, v);
  while (nova_json_next(&it, NULL, NULL))
    n++;
  return n;
}

static bool equal_scalars(struct nova_json_value a, struct nova_json_value b) {
  switch (a.type) {
  case NOVA_JSON_STRING:
    return nova__json_compare(a.text.p + 1, b.text.p + 1) == 0;
  case NOVA_JSON_NUMBER: return nova__json_same_number(a.text, b.text);
  case NOVA_JSON_NONE:
  case NOVA_JSON_NULL:
  case NOVA_JSON_FALSE:
  case NOVA_JSON_TRUE: return true;
  case NOVA_JSON_ARRAY:
  case NOVA_JSON_OBJECT: break;
  }
  return false;
}

/* How many levels one call compares by itself; deeper ones are left to another
 * call. */
#define LEVELS 64

static bool equal(struct nova_json_value a, struct nova_json_value b,
                  struct index *x) {
  struct pair open[LEVELS];
  size_t depth = 0;
  for (;;) {
    if (a.type != b.type)
      return false;
    if (a.type != NOVA_JSON_ARRAY && a.type != NOVA_JSON_OBJECT) {
      if (!equal_scalars(a, b))
        return false;
    } else if (depth == LEVELS) {
      if (!equal(a, b, x))
        return false;
    } else {
      struct pair *f = &open[depth++];
      *f = (struct pair){.left = count(b)};
      if (f->left != count(a))
        return false;
      nova_json_iter_init(&f->a, a);
      nova_json_iter_init(&f->b, b);
    }
    enum step step = STEP_DONE;
    while (depth != 0 &&
           (step = next(&open[depth - 1], x, &a, &b)) == STEP_DONE)
      depth--;
    if (step != STEP_COMPARE)
      return step == STEP_DONE;
  }
}

bool nova_json_equal(struct nova_json_value a, struct nova_json_value b) {
  struct index x;
  x.begin = x.end = NULL;
  x.n = 0;
  x.at = x.room[0];
  return equal(a, b, &x);
}
