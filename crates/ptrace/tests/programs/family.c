/* Makes processes by every call that makes one. The children do handle calls of their own and end. */
#include "ledger.h"
#include <linux/sched.h>
#include <spawn.h>

extern char **environ;

static void child_work(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || close(fd)) _exit(1);
}

static void reap(pid_t pid) {
    int status;
    if (waitpid(pid, &status, __WALL) != pid || status) die("waitpid");
    tell("- child %d", pid);
}

/* A stack of its own: the child shares memory, not the frame. */
static char stack[64 << 10] __attribute__((aligned(64)));

static int shares_files(void *unused) {
    (void)unused;
    /* No libc here: the memory is the parent's. */
    syscall(SYS_dup3, 0, 50, O_CLOEXEC);
    return 0;
}

static void *unshares(void *unused) {
    (void)unused;
    tell("+ thread %ld", syscall(SYS_gettid));
    if (unshare(CLONE_FILES)) die("unshare");
    tell("unshare");
    made("openat", open("/dev/null", O_RDONLY));
    tell("- thread %ld", syscall(SYS_gettid));
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        child_work();
        return 0;
    }
    await_tracer();
    pid_t pid = fork();
    if (pid == 0) {
        child_work();
        _exit(0);
    }
    tell("+ child %d", pid);
    reap(pid);

    pid = vfork();
    if (pid == 0) {
        execl("/proc/self/exe", "second", "second", NULL);
        _exit(1);
    }
    tell("+ child %d", pid);
    reap(pid);

    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        child_work();
        _exit(0);
    }
    tell("+ child %d", pid);
    made("clone3", pidfd);
    siginfo_t gone;
    if (waitid(P_PIDFD, pidfd, &gone, WEXITED | WNOWAIT)) die("waitid");
    if (waitid(P_PIDFD, pidfd, &gone, WEXITED)) die("waitid");
    tell("- child %d", gone.si_pid);
    ended("close", close(pidfd), pidfd);

    pid = clone(shares_files, stack + sizeof stack, CLONE_FILES | CLONE_VM | SIGCHLD, NULL);
    tell("+ child %d", pid);
    reap(pid);

    char *arguments[] = {"second", "second", NULL};
    if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ)) die("posix_spawn");
    tell("+ child %d", pid);
    reap(pid);

    pthread_t thread;
    pthread_create(&thread, NULL, unshares, NULL);
    pthread_join(thread, NULL);
    finish();
}
