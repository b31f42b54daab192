/* The reference device, messages to bytes: guide 3.1. The faults and variants
 * of the output layer sit here. */
#include "peer/device_state.h"

#include "base/unreachable.h"
#include "peer/restyle.h"

static bool is(const struct nova_device *d, enum nova_msg_kind kind) {
  return d->kind == kind;
}

/* D_SINGLE_QUOTES */
static int quote_single(struct nova_buf *b, struct nova_view v) {
  int err = 0;
  for (size_t i = 0; i < v.n && err == 0; i++)
    err = nova_buf_append(b, v.p[i] == '"' ? "'" : &v.p[i], 1);
  return err;
}

/* D_BATCH_ARRAY */
static int put_array(struct nova_buf *b, struct nova_view v) {
  int err = nova_buf_puts(b, "[");
  if (err == 0)
    err = nova_buf_append(b, v.p, v.n);
  return err != 0 ? err : nova_buf_puts(b, "]");
}

/* The object, as other serializers would have it. */
static int put_object(const struct nova_device *d, struct nova_buf *b,
                      struct nova_view v) {
  if (NOVA__DEVICE_HAS(d, D_PRETTY_PRINTED) ||
      (NOVA__DEVICE_HAS(d, D_PRETTY_DATA) && is(d, NOVA_MSG_DATA)))
    return nova__put_indented(b, v);
  if (NOVA__DEVICE_HAS(d, D_SINGLE_QUOTES) && is(d, NOVA_MSG_STATUS))
    return quote_single(b, v);
  if (NOVA__DEVICE_HAS(d, D_BATCH_ARRAY) && is(d, NOVA_MSG_DATA))
    return put_array(b, v);
  /* One of them holds names that the guide gives a meaning, but not there. */
  if (NOVA__DEVICE_HAS(d, V_D_MEMBERS_ADDED))
    return nova__add_members(b, v,
                             ",\"device\":{\"type\":\"ping\",\"timestamp\":0},"
                             "\"load\":[0.5,1e-3,null,true,false],"
                             "\"\":\"\",\"sequence\":12345678901");
  enum nova__style style = NOVA__STYLE_PLAIN;
  if (NOVA__DEVICE_HAS(d, V_D_WHITE_SPACE))
    style = NOVA__STYLE_WHITE_SPACE;
  else if (NOVA__DEVICE_HAS(d, V_D_ASCII_ONLY))
    style = NOVA__STYLE_ASCII_ONLY;
  else if (NOVA__DEVICE_HAS(d, V_D_LETTERS_ESCAPED))
    style = NOVA__STYLE_LETTERS_ESCAPED;
  else if (NOVA__DEVICE_HAS(d, V_D_REORDERED))
    style = NOVA__STYLE_REORDERED;
  return nova__restyle_as(style, b, v);
}

/* What ends the message. */
static int put_end(struct nova_device *d, struct nova_buf *b) {
  int err = 0;
  if (NOVA__DEVICE_HAS(d, D_NUL_IN_DATA) && is(d, NOVA_MSG_DATA))
    err = nova_buf_append(b, "", 1);
  if (err == 0 && NOVA__DEVICE_HAS(d, V_D_CRLF))
    err = nova_buf_puts(b, "\r");
  if (NOVA__DEVICE_HAS(d, D_LINE_FEED_FIRST))
    d->owes_line_feed = true;
  else if (err == 0 && !NOVA__DEVICE_HAS(d, D_NO_LINE_FEED))
    err = nova_buf_puts(b, "\n");
  if (err == 0 && NOVA__DEVICE_HAS(d, D_EMPTY_LINE))
    err = nova_buf_puts(b, "\n");
  return err;
}

static int dress(struct nova_device *d, struct nova_buf *b) {
  struct nova_view held = nova_buf_view(&d->status_text);
  int err = 0;
  if (NOVA__DEVICE_HAS(d, D_BOM) && !d->began)
    err = nova_buf_puts(b, "\xef\xbb\xbf");
  if (err == 0 && d->owes_line_feed)
    err = nova_buf_puts(b, "\n");
  if (err == 0 && is(d, NOVA_MSG_DATA) && held.n > 0) {
    err = nova_buf_append(b, held.p, held.n);
    nova_buf_clear(&d->status_text);
  }
  if (err == 0)
    err = put_object(d, b, nova_buf_view(&d->text));
  return err != 0 ? err : put_end(d, b);
}

/* What is longer than 128 KB is not sent, but by the faults that are about it.
 */
static bool is_too_long(const struct nova_device *d, size_t n) {
  return n > NOVA_LINE_LIMIT + 1 && !NOVA__DEVICE_HAS(d, D_HISTORY_140000) &&
         !NOVA__DEVICE_HAS(d, D_HISTORY_131073) &&
         !NOVA__DEVICE_HAS(d, D_STATUS_LOG);
}

void nova__device_send(struct nova_device *d, nova_ts late) {
  struct nova_view v = nova_buf_view(&d->text);
  struct nova_buf line;
  if (NOVA__DEVICE_HAS(d, D_TWO_OBJECTS) && is(d, NOVA_MSG_STATUS)) {
    nova_buf_clear(&d->status_text);
    if (nova_buf_append(&d->status_text, v.p, v.n) != 0)
      nova__device_give_up(d);
    return;
  }
  nova_buf_init(&line, d->mem, d->text.max);
  int err = dress(d, &line);
  v = nova_buf_view(&line);
  d->began = true;
  if (err == NOVA_ERR_NO_MEMORY)
    nova__device_give_up(d);
  else if (err == 0 && !is_too_long(d, v.n))
    nova__device_post(d, v.p, v.n, late);
  nova_buf_free(&line);
}
