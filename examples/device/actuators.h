/* The hardware of the device: what it can switch and what it measures. A port
 * to a board of your own changes actuators.c, and the number below. */
#ifndef ACTUATORS_H
#define ACTUATORS_H

#include <base/time.h>
#include <base/view.h>

#include <stdbool.h>

#define ACTUATORS 2

/* What each of them is set to, in the order of the table in actuators.c. */
struct actuators {
  int value[ACTUATORS];
};

/* Room for the text of either function below. */
#define ACTUATORS_TEXT 128

/* Switches everything off. */
void actuators_init(struct actuators *a);

/* Carries out `set_actuator` (guide 3.3), all of it or nothing.
 * |params|: a JSON object that was validated, its braces included.
 * Returns false, and nothing has changed, if it names an actuator that is not
 * there or a value that the actuator cannot take. */
bool actuators_set(struct actuators *a, struct nova_view params);

/* The present state as a JSON object: the `data` of a command_response.
 * The view is of |text| and as valid. */
struct nova_view actuators_state(const struct actuators *a,
                                 char text[ACTUATORS_TEXT]);

/* What the sensors measure, as a JSON object: the `values` of a data message.
 * The view is of |text| and as valid. */
struct nova_view sensors_read(nova_ts now, char text[ACTUATORS_TEXT]);

#endif
