/* Threads that end in every way, on stacks of every make. Arguments: how many of each.
 *
 * stacks UNJOINED JOINED DETACHED LIVING STACK_KIB GUARD_KIB BLOCKS
 *
 * BLOCKS are blocks of malloc that are as large as a default stack and its guard together.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static pthread_barrier_t started;

static void *end(void *unused)
{
	return unused;
}

static void *live_on(void *unused)
{
	pthread_barrier_wait(&started);
	for (;;)
		pause();
	return unused;
}

static long arguments[8];

static pthread_t start(void *(*run)(void *))
{
	pthread_t thread;
	pthread_attr_t how;
	pthread_attr_init(&how);
	if (arguments[5])
		pthread_attr_setstacksize(&how, (size_t)arguments[5] << 10);
	if (arguments[6] >= 0)
		pthread_attr_setguardsize(&how, (size_t)arguments[6] << 10);
	if (pthread_create(&thread, &how, run, NULL))
		exit(3);
	return thread;
}

/* Threads of this process, by the kernel's count. */
static int alive(void)
{
	char line[256];
	int count = 0;
	FILE *status = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof line, status))
		sscanf(line, "Threads: %d", &count);
	fclose(status);
	return count;
}

int main(int count, char **words)
{
	for (int at = 1; at < count && at < 8; at++)
		arguments[at] = atol(words[at]);
	for (long at = 0; at < arguments[7]; at++)
		memset(malloc(8 << 20), 1, 1);
	for (long at = 0; at < arguments[2]; at++)
		pthread_join(start(end), NULL);
	for (long at = 0; at < arguments[3]; at++)
		pthread_detach(start(end));
	for (long at = 0; at < arguments[1]; at++)
		start(end);
	while (alive() > 1)
		usleep(1000);
	for (long at = 0; at < arguments[4]; at++) {
		pthread_barrier_init(&started, NULL, 2);
		start(live_on);
		pthread_barrier_wait(&started);
	}
	printf("ready\n");
	fflush(stdout);
	char byte;
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
