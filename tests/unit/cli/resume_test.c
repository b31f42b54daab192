#include "cli/resume.h"
#include "conversation/span.h"

#include <criterion/criterion.h>

struct pair {
  struct nova_arena arena;
  struct nova_profile was, is;
  struct nova_buf text;
};

static void start(struct pair *p) {
  nova_arena_init(&p->arena, NULL, 1 << 20);
  nova_profile_init(&p->was, &p->arena);
  p->was.tcp = (struct nova_address){"127.0.0.1", 9000};
  const char *why = NULL;
  cr_assert_eq(nova_profile_add_device(&p->was, nova_view_of("DEV-1"),
                                       nova_view_of("key-1"), &why),
               0);
  p->is = p->was;
  nova_buf_init(&p->text, NULL, 1 << 16);
}

static void finish(struct pair *p) {
  nova_buf_free(&p->text);
  nova_arena_free(&p->arena);
}

static const char *told(struct pair *p) {
  nova_buf_clear(&p->text);
  cr_assert_eq(nova_resume_differences(&p->was, &p->is, &p->text), 0);
  return p->text.len != 0 ? nova_buf_cstr(&p->text) : "";
}

Test(resume, each_timer_counts) {
  struct pair p;
  start(&p);
  cr_assert_str_eq(told(&p), "");
  for (unsigned i = 0; i < NOVA_TIMERS; i++) {
    nova_ts was = p.is.timers.span[i];
    p.is.timers.span[i] = 1234 * NOVA_MS;
    cr_assert_not_null(strstr(told(&p), nova_timer_name((enum nova_timer)i)));
    p.is.timers.span[i] = was;
  }
  finish(&p);
}

/* What changes nothing of what is judged, and what may change: keys, hooks, how
 * many connections. */
Test(resume, keys_and_hooks_may_be_others) {
  struct pair p;
  start(&p);
  struct nova_login other = {"DEV-1", "key-2"};
  p.is.device = &other;
  p.is.hook[NOVA_HOOK_RESET_KEY] = "./reset";
  p.is.max_connections = 3;
  p.is.name = "another name";
  cr_assert_str_eq(told(&p), "");
  finish(&p);
}

Test(resume, another_subject_is_told_from_this_one) {
  struct pair p;
  start(&p);
  static const char *keys[] = {"temperature"}, *others[] = {"humidity"};
  struct nova_login other = {"DEV-2", "key-1"};
  struct nova_actuator relay = {.name = "relay1"};
  p.is.tcp.port = 9001;
  cr_assert_str_eq(told(&p), "tcp was 127.0.0.1:9000 and is 127.0.0.1:9001");
  p.is.tcp = (struct nova_address){"::1", 9000};
  cr_assert_str_eq(told(&p), "tcp was 127.0.0.1:9000 and is [::1]:9000");
  p.is = p.was;
  p.is.mqtt = (struct nova_address){"h", 1};
  cr_assert_str_eq(told(&p), "mqtt was not given and is h:1");
  p.is = p.was;
  p.is.device = &other;
  cr_assert_str_eq(told(&p), "device 1 was DEV-1 and is DEV-2");
  p.is = p.was;
  p.is.devices = 0;
  cr_assert_str_eq(told(&p), "the number of devices was 1 and is 0");
  p.is = p.was;
  p.was.value_keys = keys;
  p.was.value_keys_n = 1;
  cr_assert_str_eq(told(&p), "value_keys was declared and is not declared");
  p.is.value_keys = others;
  p.is.value_keys_n = 1;
  cr_assert_str_eq(told(&p), "value_keys was one list and is another");
  p.is = p.was;
  p.is.actuators = &relay;
  cr_assert_str_eq(told(&p), "actuators was not declared and is declared");
  p.is = p.was;
  p.is.transports_given = p.is.transport[0] = true;
  cr_assert_str_eq(told(&p), "transports was not declared and is declared");
  p.is = p.was;
  p.is.client_certificates = true;
  p.is.tcp.port = 1;
  cr_assert_str_eq(told(&p),
                   "tcp was 127.0.0.1:9000 and is 127.0.0.1:1; "
                   "client_certificates was not declared and is declared");
  finish(&p);
}
