/* base/cost.h: what work costs, for those who decide by it when and how often to do it. Round figures, as
 * measured (docs/performance.md); a machine twice as fast is only treated as a slower one. */
#ifndef CF_COST_H
#define CF_COST_H

#include <stdint.h>

#define CF_COST_SEND_US INT64_C(6) /* of a core, one send(2) to a socket, whatever it carries */

#endif
