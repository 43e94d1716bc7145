/* Time in microseconds. */
#include "base.h"

#include <time.h>

static sg_usec clock_usec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (sg_usec)now.tv_sec * SG_SECOND + now.tv_nsec / 1000;
}

sg_usec sg_time_now(void)
{
	return clock_usec(CLOCK_REALTIME);
}

sg_usec sg_time_elapsed(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}

void sg_time_sleep(sg_usec duration)
{
	struct timespec length = {
		.tv_sec = (time_t)(duration / SG_SECOND),
		.tv_nsec = (long)(duration % SG_SECOND) * 1000,
	};

	nanosleep(&length, NULL);
}
