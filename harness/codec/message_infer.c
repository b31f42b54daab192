#include "codec/message.h"

#include "codec/json_scan.h"

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether |s| is |name| but for case, and '-' for '_'. */
static bool alike(struct nova_view s, const char *name) {
  if (s.n != strlen(name))
    return false;
  for (size_t i = 0; i < s.n; i++)
    if (lower(s.p[i]) != name[i] && !(s.p[i] == '-' && name[i] == '_'))
      return false;
  return true;
}

static enum nova_msg_kind by_name(struct nova_json_value type,
                                  enum nova_sender sender) {
  /* Longer ones are no slip of the pen. */
  char text[256];
  size_t n = nova_json_string(type, text, sizeof text);
  struct nova_view s = {text, n <= sizeof text ? n : 0};
  while (s.n != 0 && nova__json_space(s.p[0])) {
    s.p++;
    s.n--;
  }
  while (s.n != 0 && nova__json_space(s.p[s.n - 1]))
    s.n--;
  for (int k = NOVA_MSG_UNKNOWN + 1; k < NOVA_MSG_KINDS; k++) {
    const struct nova_msg_info *info = nova_msg_info((enum nova_msg_kind)k);
    if (info->sender == sender && alike(s, info->name))
      return (enum nova_msg_kind)k;
  }
  return NOVA_MSG_UNKNOWN;
}

/* Whether only |kind|, of those that its sender sends, has this field. */
static bool only_of(enum nova_msg_kind kind, const char *field) {
  for (int k = NOVA_MSG_UNKNOWN + 1; k < NOVA_MSG_KINDS; k++) {
    const struct nova_msg_info *info = nova_msg_info((enum nova_msg_kind)k);
    if (k == (int)kind || info->sender != nova_msg_info(kind)->sender)
      continue;
    for (size_t i = 0; i < info->fields; i++)
      if (strcmp(info->field[i].name, field) == 0)
        return false;
  }
  return true;
}

/* How well the members of an object fit a kind. */
struct fit {
  int points;
  bool clear; /* well enough to say so, if no other fits as well */
};

static struct fit fit(struct nova_json_value whole, enum nova_msg_kind kind) {
  const struct nova_msg_info *info = nova_msg_info(kind);
  struct nova_json_iter it;
  struct nova_json_value key;
  int members = 0, here = 0, required = 0, covered = 0;
  bool only = false;
  for (size_t i = 0; i < info->fields; i++)
    required += info->field[i].required;
  nova_json_iter_init(&it, whole);
  while (nova_json_next(&it, &key, NULL)) {
    members += !nova_json_string_is(key, nova_view_of("type"));
    for (size_t i = 0; i < info->fields; i++) {
      if (!nova_json_string_is(key, nova_view_of(info->field[i].name)))
        continue;
      here++;
      covered += info->field[i].required;
      only |= only_of(kind, info->field[i].name);
    }
  }
  int others = members - here;
  return (struct fit){here - (required - covered) - others,
                      2 * covered >= required && (only || others <= here)};
}

enum nova_msg_kind nova_msg_infer_name(const struct nova_msg *msg,
                                       enum nova_sender sender) {
  return msg->whole.type == NOVA_JSON_OBJECT ? by_name(msg->type, sender)
                                             : NOVA_MSG_UNKNOWN;
}

enum nova_msg_kind nova_msg_infer(const struct nova_msg *msg,
                                  enum nova_sender sender) {
  if (msg->whole.type != NOVA_JSON_OBJECT)
    return NOVA_MSG_UNKNOWN;
  const struct nova_msg_info *known = nova_msg_info(msg->kind);
  if (known != NULL && known->sender == sender)
    return msg->kind;
  enum nova_msg_kind best = by_name(msg->type, sender);
  if (best != NOVA_MSG_UNKNOWN)
    return best;
  struct fit top = {INT32_MIN, false};
  for (int k = NOVA_MSG_UNKNOWN + 1; k < NOVA_MSG_KINDS; k++) {
    if (nova_msg_info((enum nova_msg_kind)k)->sender != sender)
      continue;
    struct fit f = fit(msg->whole, (enum nova_msg_kind)k);
    if (f.points == top.points) {
      top.clear = false;
    } else if (f.points > top.points) {
      top = f;
      best = (enum nova_msg_kind)k;
    }
  }
  return top.clear ? best : NOVA_MSG_UNKNOWN;
}
