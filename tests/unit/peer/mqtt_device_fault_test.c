/* What each named fault of the device over MQTT breaks, and what not. Those of
 * TLS are in mqtt_device_drive_test.c. */
#include "mqtt_device_probes.h"

#include <criterion/criterion.h>

static bool list_has(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
    if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
      return true;
  return false;
}

/* Of a device over MQTT, and seen without TLS. */
static const struct nova_fault_info *row(unsigned f) {
  const struct nova_fault_info *i = nova_fault_info((enum nova_fault)f);
  return i->side == NOVA_SIDE_DEVICE && nova_fault_is_mqtt((enum nova_fault)f)
             ? i
             : NULL;
}

static bool is_tls(const struct nova_fault_info *i) {
  return strncmp(i->needs, "tls", 3) == 0;
}

Test(mqtt_device_fault, a_sound_device_fails_nothing) {
  struct tally t = {.n = 0};
  (void)mqtt_device_probe_all(NOVA_FAULTS, &t);
  for (size_t i = 0; i < t.n; i++)
    cr_expect_fail("%s", t.failed[i]);
}

/* Each fault is caught, by the requirement that stands first among those it is
 * said to break, and fails no other. */
static void check_faults(unsigned part, unsigned parts) {
  for (unsigned i = part; i < NOVA_FAULTS; i += parts) {
    const struct nova_fault_info *f = row(i);
    if (f == NULL || nova_fault_is_variant(f) || is_tls(f))
      continue;
    struct tally t = {.n = 0};
    (void)mqtt_device_probe_all((enum nova_fault)i, &t);
    cr_expect_gt(t.n, 0, "%s is not caught", f->name);
    for (size_t k = 0; k < t.n; k++)
      cr_expect(list_has(f->breaks, t.failed[k]), "%s fails %s, not only %s",
                f->name, t.failed[k], f->breaks);
    struct nova_view first = {f->breaks, strcspn(f->breaks, " ")};
    cr_expect(t.n == 0 || tally_has(&t, first), "%s does not fail %.*s",
              f->name, (int)first.n, first.p);
  }
}

Test(mqtt_device_fault, each_breaks_what_it_says_1) {
  check_faults(0, 2);
}

Test(mqtt_device_fault, each_breaks_what_it_says_2) {
  check_faults(1, 2);
}

/* A variant is right, and can be told from the reference. */
Test(mqtt_device_fault, variants_break_nothing_and_show) {
  struct tally none = {.n = 0};
  uint64_t reference = mqtt_device_probe_all(NOVA_FAULTS, &none);
  cr_assert_eq(mqtt_device_probe_all(NOVA_FAULTS, &none), reference);
  unsigned variants = 0;
  for (unsigned i = 0; i < NOVA_FAULTS; i++) {
    const struct nova_fault_info *f = row(i);
    if (f == NULL || !nova_fault_is_variant(f))
      continue;
    struct tally t = {.n = 0};
    uint64_t wire = mqtt_device_probe_all((enum nova_fault)i, &t);
    variants++;
    for (size_t k = 0; k < t.n; k++)
      cr_expect_fail("%s fails %s", f->name, t.failed[k]);
    cr_expect(is_tls(f) || wire != reference, "%s does not show", f->name);
  }
  cr_assert_geq(variants, 12);
}

/* Every requirement that binds a device is broken by some fault first. */
Test(mqtt_device_fault, every_requirement_has_a_fault) {
  static const char *const id[] = {
      "MQ-CONN-01", "MQ-CONN-03",   "MQ-CONN-04",   "MQ-CONN-05", "MQ-CONN-12",
      "MQ-CONN-13", "MQ-CONN-14",   "MQ-DATA-01",   "MQ-DATA-02", "MQ-DATA-03",
      "MQ-DATA-04", "MQ-DATA-05",   "MQ-CMD-01",    "MQ-CMD-02",  "MQ-CMD-03",
      "MQ-CMD-04",  "MQ-CMD-05",    "MQ-CMD-06",    "MQ-CMD-07",  "MQ-CMD-08",
      "MQ-CMD-09",  "MQ-STATUS-01", "MQ-STATUS-02", "MQ-LWT-01",  "MQ-LWT-02",
      "MQ-LWT-03",  "MQ-LWT-04",    "MQ-LWT-05",    "TLS-03",     "TLS-04",
      "TLS-05",     "TLS-07"};
  for (size_t k = 0; k < sizeof id / sizeof *id; k++) {
    unsigned n = 0;
    for (unsigned i = 0; i < NOVA_FAULTS; i++)
      n += row(i) != NULL && strncmp(row(i)->breaks, id[k], strlen(id[k])) == 0;
    cr_expect_gt(n, 0, "%s", id[k]);
  }
}
