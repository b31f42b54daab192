/* What a pass is worth: how many named faults of the reference peers the
 * conversations catch, and how often they blamed something else. The test
 * `matrix faults` measures it and fails where these numbers are not the
 * measured ones; every report shows them. */
#ifndef NOVA_VERDICT_SCORE_H
#define NOVA_VERDICT_SCORE_H

#define NOVA_SCORE_SERVER_FAULTS         220
#define NOVA_SCORE_SERVER_CAUGHT         220
#define NOVA_SCORE_SERVER_FALSELY_BLAMED 0

#define NOVA_SCORE_DEVICE_FAULTS         278
#define NOVA_SCORE_DEVICE_CAUGHT         278
#define NOVA_SCORE_DEVICE_FALSELY_BLAMED 0

/* Peers that are right and other than the reference, and those of them that a
 * run failed all the same. */
#define NOVA_SCORE_SERVER_VARIANTS         63
#define NOVA_SCORE_DEVICE_VARIANTS         62
#define NOVA_SCORE_VARIANTS_FALSELY_BLAMED 0

/* Random networks with conforming peers, and the alarms that they raised
 * (`matrix seeds 1000`). */
#define NOVA_SCORE_NETWORKS     1000
#define NOVA_SCORE_FALSE_ALARMS 0

#endif
