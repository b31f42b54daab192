/* What each named fault of the device breaks, and what not. */
#include "device_probes.h"

#include <criterion/criterion.h>

static bool list_has(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
    if ((p == list || p[-1] == ' ' || p[-1] == ':') &&
        (p[n] == ' ' || p[n] == '\0'))
      return true;
  return false;
}

Test(device_fault, a_sound_device_fails_nothing) {
  struct tally t = {.n = 0};
  device_probe_all(NOVA_FAULTS, &t);
  for (size_t i = 0; i < t.n; i++)
    cr_expect_fail("%s", t.failed[i]);
}

/* Each fault is caught, by the requirement that stands first among those it is
 * said to break, and fails no other. A fault without effect in the code fails
 * here. */
static void check_faults(unsigned part, unsigned parts) {
  for (unsigned i = part; i < NOVA_FAULTS; i += parts) {
    const struct nova_fault_info *f = nova_fault_info((enum nova_fault)i);
    if (f->side != NOVA_SIDE_DEVICE || nova_fault_is_variant(f) ||
        nova_fault_is_mqtt((enum nova_fault)i))
      continue;
    struct tally t = {.n = 0};
    device_probe_all((enum nova_fault)i, &t);
    cr_expect_gt(t.n, 0, "%s is not caught", f->name);
    for (size_t k = 0; k < t.n; k++)
      cr_expect(list_has(f->breaks, t.failed[k]), "%s fails %s, not only %s",
                f->name, t.failed[k], f->breaks);
    struct nova_view first = {f->breaks, strcspn(f->breaks, " ")};
    cr_expect(t.n == 0 || tally_has(&t, first), "%s does not fail %.*s",
              f->name, (int)first.n, first.p);
  }
}

Test(device_fault, each_breaks_what_it_says_1) {
  check_faults(0, 2);
}

Test(device_fault, each_breaks_what_it_says_2) {
  check_faults(1, 2);
}

Test(device_fault, no_variant_breaks_anything) {
  for (unsigned i = 0; i < NOVA_FAULTS; i++) {
    const struct nova_fault_info *f = nova_fault_info((enum nova_fault)i);
    if (f->side != NOVA_SIDE_DEVICE || !nova_fault_is_variant(f) ||
        nova_fault_is_mqtt((enum nova_fault)i))
      continue;
    struct tally t = {.n = 0};
    device_probe_all((enum nova_fault)i, &t);
    for (size_t k = 0; k < t.n; k++)
      cr_expect(list_has(f->needs, t.failed[k]), "%s fails %s", f->name,
                t.failed[k]);
  }
}
