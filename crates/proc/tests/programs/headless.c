/* A process whose first thread has exited while another lives on and holds the descriptors. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_t first;

static void *live_on(void *unused)
{
	char byte;
	(void)unused;
	pthread_join(first, NULL);
	open("/dev/null", O_RDONLY);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return NULL;
}

int main(void)
{
	pthread_t thread;
	first = pthread_self();
	pthread_create(&thread, NULL, live_on, NULL);
	pthread_exit(NULL);
}
