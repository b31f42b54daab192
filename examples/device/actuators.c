#include "actuators.h"

#include <codec/json.h>

#include <stdarg.h>
#include <stdio.h>

enum kind {
  SWITCH, /* "OFF" or "ON" */
  LEVEL,  /* a whole number from 0 to |max| */
};

/* The keys are those that the platform has for this device. */
static const struct {
  const char *key;
  enum kind kind;
  int max;
} table[ACTUATORS] = {
    {"relay1", SWITCH, 1},
    {"led_brightness", LEVEL, 100},
};

/* The one place where something happens in the world: set a pin or a duty cycle
 * here. */
static void drive(size_t which, int value) {
  (void)which;
  (void)value;
}

void actuators_init(struct actuators *a) {
  *a = (struct actuators){{0}};
  for (size_t i = 0; i < ACTUATORS; i++)
    drive(i, a->value[i]);
}

/* Whether actuator |which| can take |v|, and as what. */
static bool read_value(size_t which, struct nova_json_value v, int *value) {
  double number;
  switch (table[which].kind) {
  case SWITCH:
    *value = nova_json_string_is(v, nova_view_of("ON"));
    return *value || nova_json_string_is(v, nova_view_of("OFF"));
  case LEVEL:
    /* As a double, since to JSON 80 and 80.0 are the same number, and servers
     * write either. The range comes first: what lies outside may not fit. */
    if (!nova_json_double(v, &number) || number < 0 ||
        number > table[which].max)
      return false;
    *value = (int)number;
    return *value >= number;
  }
  return false;
}

bool actuators_set(struct actuators *a, struct nova_view params) {
  /* First all is read and only then is anything driven: a relay that moved for
   * a command whose answer is "failed" would be a lie. */
  struct actuators wanted = *a;
  struct nova_json_iter members;
  struct nova_json_value key, value;
  nova_json_iter_init(&members,
                      (struct nova_json_value){NOVA_JSON_OBJECT, params});
  while (nova_json_next(&members, &key, &value)) {
    size_t i = 0;
    while (i < ACTUATORS &&
           !nova_json_string_is(key, nova_view_of(table[i].key)))
      i++;
    if (i == ACTUATORS || !read_value(i, value, &wanted.value[i]))
      return false;
  }
  for (size_t i = 0; i < ACTUATORS; i++)
    if (wanted.value[i] != a->value[i])
      drive(i, wanted.value[i]);
  *a = wanted;
  return true;
}

/* Appends to |text|, of which |n| bytes are used. The texts are made of the
 * tables here alone; one that outgrows ACTUATORS_TEXT is cut, and a command
 * then gets no valid answer: make the number larger with the table. */
static size_t add(char text[ACTUATORS_TEXT], size_t n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t add(char text[ACTUATORS_TEXT], size_t n, const char *format,
                  ...) {
  va_list arguments;
  va_start(arguments, format);
  int more = vsnprintf(text + n, ACTUATORS_TEXT - n, format, arguments);
  va_end(arguments);
  if (more < 0)
    return n;
  n += (size_t)more;
  return n < ACTUATORS_TEXT ? n : ACTUATORS_TEXT - 1;
}

struct nova_view actuators_state(const struct actuators *a,
                                 char text[ACTUATORS_TEXT]) {
  size_t n = 0;
  for (size_t i = 0; i < ACTUATORS; i++) {
    n = add(text, n, "%c\"%s\":", i == 0 ? '{' : ',', table[i].key);
    if (table[i].kind == SWITCH)
      n = add(text, n, "\"%s\"", a->value[i] ? "ON" : "OFF");
    else
      n = add(text, n, "%d", a->value[i]);
  }
  n = add(text, n, "}");
  return (struct nova_view){text, n};
}

struct nova_view sensors_read(nova_ts now, char text[ACTUATORS_TEXT]) {
  /* Made up: read your sensors here. In tenths and without floating point: no
   * printf of any locale then writes a comma where JSON has a point. The names
   * have to be the value keys that are configured on the platform, or it does
   * not know what they are (guide 2.4 and 5). */
  int wave = (int)(now / NOVA_SEC % 20);
  int temperature = 250 + wave, humidity = 600 - wave;
  size_t n =
      add(text, 0, "{\"temperature\":%d.%d,\"humidity\":%d.%d}",
          temperature / 10, temperature % 10, humidity / 10, humidity % 10);
  return (struct nova_view){text, n};
}
