/* The wall clock of a process, set forward or back by the seconds in a file.
 *
 * Preloaded into worker processes (tests/clock.py). CLOCK_FILE names the file: eight bytes,
 * a signed number, which the test may change at any time. Monotonic clocks, timeouts and the
 * times of files stay those of the machine. No lock, no cache: processes are forked and killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none = 0;
static const volatile int64_t *ahead = &none;

__attribute__((constructor)) static void open_clock(void)
{
	const char *name = getenv("CLOCK_FILE");
	int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return;
	void *mapped = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
	close(file);
	if (mapped != MAP_FAILED)
		ahead = mapped;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
	int status = (int)syscall(SYS_clock_gettime, which, now);
	if (status == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
		now->tv_sec += *ahead;
	return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	int status = (int)syscall(SYS_gettimeofday, now, zone);
	if (status == 0)
		now->tv_sec += *ahead;
	return status;
}

time_t time(time_t *given)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (given != NULL)
		*given = now.tv_sec;
	return now.tv_sec;
}
